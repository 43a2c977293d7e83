# An image of Azure, generation 2, of a golden image, and machines of it.
#   kverify fetch --channel stable --format vhd --store az://shelf --trust gate.pub --out golden.vhd
#   kverify channel get stable --store az://shelf --trust gate.pub --format tfvars > image.auto.tfvars
#   terraform apply -var image_file=golden.vhd -var resource_group=rg -var storage_account=imports -var container=vhds
#     -var subnet_id=… -var admin_public_key=…
terraform {
  required_version = ">= 1.5"
  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 4.6"
    }
  }
}

variable "resource_group" {
  type = string
}

variable "location" {
  type    = string
  default = "westeurope"
}

variable "storage_account" {
  type = string
}

variable "container" {
  type = string
}

variable "subnet_id" {
  type = string
}

variable "admin_public_key" {
  type = string
}

variable "machines" {
  type    = list(string)
  default = ["web-1", "web-2"]
}

provider "azurerm" {
  features {}
}

resource "azurerm_storage_blob" "image" {
  name                   = "${var.image_name}.vhd"
  storage_account_name   = var.storage_account
  storage_container_name = var.container
  # A disk is a page blob.
  type   = "Page"
  source = var.image_file
}

resource "azurerm_image" "image" {
  name                = var.image_name
  location            = var.location
  resource_group_name = var.resource_group
  hyper_v_generation  = "V2"
  os_disk {
    os_type      = "Linux"
    os_state     = "Generalized"
    blob_uri     = azurerm_storage_blob.image.url
    storage_type = "StandardSSD_LRS"
  }
  tags = local.tags
  lifecycle {
    create_before_destroy = true
  }
}

resource "azurerm_network_interface" "machine" {
  for_each            = toset(var.machines)
  name                = "${each.key}-nic"
  location            = var.location
  resource_group_name = var.resource_group
  ip_configuration {
    name                          = "internal"
    subnet_id                     = var.subnet_id
    private_ip_address_allocation = "Dynamic"
  }
}

resource "azurerm_linux_virtual_machine" "machine" {
  for_each              = toset(var.machines)
  name                  = each.key
  location              = var.location
  resource_group_name   = var.resource_group
  size                  = "Standard_B2s"
  admin_username        = "golden"
  network_interface_ids = [azurerm_network_interface.machine[each.key].id]
  source_image_id       = azurerm_image.image.id
  admin_ssh_key {
    username   = "golden"
    public_key = var.admin_public_key
  }
  os_disk {
    caching              = "ReadWrite"
    storage_account_type = "StandardSSD_LRS"
  }
  tags = local.tags
}

locals {
  tags = {
    "kverify-channel" = var.image_channel
    "kverify-number"  = var.image_number
    "kverify-digest"  = var.image_digest
  }
}
