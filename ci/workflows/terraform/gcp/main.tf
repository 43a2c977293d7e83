# An image of Google Compute Engine of a golden image, and machines of it.
#   kverify fetch --channel stable --format gce --store gs://shelf --trust gate.pub --out golden.tar.gz
#   kverify channel get stable --store gs://shelf --trust gate.pub --format tfvars > image.auto.tfvars
#   terraform apply -var image_file=golden.tar.gz -var bucket=imports -var project=p -var zone=europe-west3-a
terraform {
  required_version = ">= 1.5"
  required_providers {
    google = {
      source  = "hashicorp/google"
      version = "~> 6.8"
    }
  }
}

variable "bucket" {
  type = string
}

variable "project" {
  type = string
}

variable "zone" {
  type = string
}

variable "machines" {
  type    = number
  default = 2
}

provider "google" {
  project = var.project
  zone    = var.zone
}

resource "google_storage_bucket_object" "image" {
  bucket = var.bucket
  name   = "${var.image_name}.tar.gz"
  source = var.image_file
  # Uploads count.
  timeouts {
    create = "60m"
  }
}

resource "google_compute_image" "image" {
  # Names have at most 63 characters, and those of images may be longer: what the channel says of it names it as well.
  name        = "golden-${var.image_channel}-${var.image_number}"
  family      = "golden-${var.image_channel}"
  description = var.image_digest
  raw_disk {
    source = "https://storage.googleapis.com/${var.bucket}/${google_storage_bucket_object.image.name}"
  }
  guest_os_features {
    type = "UEFI_COMPATIBLE"
  }
  guest_os_features {
    type = "GVNIC"
  }
  guest_os_features {
    type = "VIRTIO_SCSI_MULTIQUEUE"
  }
  labels = {
    "kverify-name" = replace(lower(var.image_name), "/[^a-z0-9_-]/", "-")
  }
  lifecycle {
    create_before_destroy = true
  }
}

resource "google_compute_instance" "machine" {
  count        = var.machines
  name         = "web-${count.index + 1}"
  machine_type = "e2-small"
  boot_disk {
    initialize_params {
      image = google_compute_image.image.self_link
    }
  }
  network_interface {
    network = "default"
  }
  labels = {
    "kverify-channel" = var.image_channel
    "kverify-number"  = var.image_number
  }
}
