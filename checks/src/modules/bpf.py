import ctypes, os, platform, struct, sys

NUMBERS = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "ppc64le": 361, "s390x": 351}
number = NUMBERS.get(platform.machine())
if number is None:
    sys.exit("bpf: no number of the system call for " + platform.machine())
libc = ctypes.CDLL(None, use_errno=True)


def instruction(code, registers=0, offset=0, value=0):
    return struct.pack("=BBhi", code, registers, offset, value)


ZERO, EXIT = instruction(0xB7), instruction(0x95)
# r1 = r10 - 8, r2 = 8, r3 = 0, call bpf_probe_read_kernel
READ = (instruction(0xBF, 0xA1) + instruction(0x07, 1, 0, -8) + instruction(0xB7, 2, 0, 8) + instruction(0xB7, 3)
        + instruction(0x85, 0, 0, 113))
# type: socket filter 1, cgroup skb 8, raw tracepoint 17
for name, kind, code in [("filter", 1, ZERO + EXIT), ("cgroup", 8, ZERO + EXIT), ("tracing", 17, READ + ZERO + EXIT)]:
    text, rights = ctypes.create_string_buffer(code), ctypes.create_string_buffer(b"GPL")
    attributes = struct.pack("=IIQQIIQII", kind, len(code) // 8, ctypes.addressof(text), ctypes.addressof(rights), 0, 0, 0, 0, 0)
    made = libc.syscall(number, 5, ctypes.create_string_buffer(attributes), len(attributes))
    if made < 0:
        print(name, "fails:", os.strerror(ctypes.get_errno()))
    else:
        os.close(made)
        print(name, "loads")
