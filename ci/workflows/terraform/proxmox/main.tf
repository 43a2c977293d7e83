# A template of a golden image on Proxmox VE, and machines that are linked clones of it. The storage `local` has to take content of
# the type Import.
#   kverify fetch --channel stable --store shelf --trust gate.pub --out golden.qcow2
#   kverify channel get stable --store shelf --trust gate.pub --format tfvars > image.auto.tfvars
#   terraform apply -var image_file=golden.qcow2 -var node=pve
terraform {
  required_version = ">= 1.5"
  required_providers {
    proxmox = {
      source  = "bpg/proxmox"
      version = "~> 0.80"
    }
  }
}

variable "node" {
  type = string
}

variable "disk_gib" {
  type    = number
  default = 20
}

variable "machines" {
  type    = list(string)
  default = ["web-1", "web-2"]
}

resource "proxmox_virtual_environment_file" "image" {
  content_type = "import"
  datastore_id = "local"
  node_name    = var.node
  source_file {
    path      = var.image_file
    file_name = "${var.image_name}.qcow2"
    checksum  = trimprefix(var.image_digest, "sha256:")
  }
}

resource "proxmox_virtual_environment_vm" "template" {
  name      = "golden-${var.image_channel}-${var.image_number}"
  node_name = var.node
  template  = true
  started   = false
  machine   = "q35"
  bios      = "ovmf"
  efi_disk {
    datastore_id = "local-lvm"
    type         = "4m"
  }
  disk {
    datastore_id = "local-lvm"
    import_from  = proxmox_virtual_environment_file.image.id
    interface    = "scsi0"
    discard      = "on"
    # What it is enlarged to: no less than the disk of the image.
    size = var.disk_gib
  }
  scsi_hardware = "virtio-scsi-single"
  network_device {
    bridge = "vmbr0"
  }
  serial_device {}
  initialization {
    datastore_id = "local-lvm"
    ip_config {
      ipv4 {
        address = "dhcp"
      }
    }
  }
  # The provider does not look at what a disk was imported from once it is there.
  lifecycle {
    replace_triggered_by = [proxmox_virtual_environment_file.image]
  }
}

resource "proxmox_virtual_environment_vm" "machine" {
  for_each  = toset(var.machines)
  name      = each.key
  node_name = var.node
  clone {
    vm_id = proxmox_virtual_environment_vm.template.id
    full  = false
  }
  lifecycle {
    replace_triggered_by = [proxmox_virtual_environment_vm.template]
  }
}
