# Machines of a golden image on libvirt: one base volume, and a copy-on-write disk for each machine.
#   kverify fetch --channel stable --store shelf --trust gate.pub --out golden.qcow2
#   kverify channel get stable --store shelf --trust gate.pub --format tfvars > image.auto.tfvars
#   terraform apply -var image_file=golden.qcow2
terraform {
  required_version = ">= 1.5"
  required_providers {
    libvirt = {
      source  = "dmacvicar/libvirt"
      version = "~> 0.8.3"
    }
  }
}

variable "machines" {
  type    = list(string)
  default = ["web-1", "web-2"]
}

variable "user_data" {
  type    = string
  default = "#cloud-config\n{}\n"
}

provider "libvirt" {
  uri = "qemu:///system"
}

resource "libvirt_volume" "image" {
  # Another image is another volume: machines are made anew, and never changed beneath.
  name   = "${var.image_name}.qcow2"
  source = var.image_file
  lifecycle {
    create_before_destroy = true
    precondition {
      condition     = "sha256:${filesha256(var.image_file)}" == var.image_digest
      error_message = "${var.image_file} is not what the channel points to: fetch it again with kverify."
    }
  }
}

resource "libvirt_volume" "disk" {
  for_each       = toset(var.machines)
  name           = "${each.key}.qcow2"
  base_volume_id = libvirt_volume.image.id
}

resource "libvirt_cloudinit_disk" "seed" {
  for_each  = toset(var.machines)
  name      = "${each.key}-seed.iso"
  meta_data = jsonencode({ "instance-id" = "${each.key}-${var.image_number}", "local-hostname" = each.key })
  user_data = var.user_data
}

resource "libvirt_domain" "machine" {
  for_each  = toset(var.machines)
  name      = each.key
  memory    = 2048
  vcpu      = 2
  machine   = "q35"
  firmware  = "/usr/share/OVMF/OVMF_CODE_4M.fd"
  cloudinit = libvirt_cloudinit_disk.seed[each.key].id
  nvram {
    file     = "/var/lib/libvirt/qemu/nvram/${each.key}_VARS.fd"
    template = "/usr/share/OVMF/OVMF_VARS_4M.fd"
  }
  disk {
    volume_id = libvirt_volume.disk[each.key].id
  }
  # The provider puts the seed on IDE, which q35 has not.
  xml {
    xslt = file("${path.module}/sata.xsl")
  }
  network_interface {
    network_name = "default"
  }
  console {
    type        = "pty"
    target_type = "serial"
    target_port = "0"
  }
}
