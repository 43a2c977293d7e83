# An AMI of a golden image, and machines of it. The disk goes through S3 as it is: an imported snapshot changes nothing in the
# guest, which an imported image would.
#   kverify fetch --channel stable --format raw --store s3://shelf --trust gate.pub --out golden.raw
#   kverify channel get stable --store s3://shelf --trust gate.pub --format tfvars > image.auto.tfvars
#   terraform apply -var image_file=golden.raw -var bucket=imports
terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.70"
    }
  }
}

variable "bucket" {
  type        = string
  description = "A bucket that the role vmimport may read."
}

variable "machines" {
  type    = number
  default = 2
}

resource "aws_s3_object" "image" {
  bucket             = var.bucket
  key                = "${var.image_name}.raw"
  source             = var.image_file
  checksum_algorithm = "SHA256"
}

resource "aws_ebs_snapshot_import" "image" {
  disk_container {
    format = "RAW"
    user_bucket {
      s3_bucket = var.bucket
      s3_key    = aws_s3_object.image.key
    }
  }
  tags = local.tags
}

resource "aws_ami" "image" {
  name                = var.image_name
  virtualization_type = "hvm"
  architecture        = "x86_64"
  boot_mode           = "uefi"
  ena_support         = true
  imds_support        = "v2.0"
  root_device_name    = "/dev/xvda"
  ebs_block_device {
    device_name = "/dev/xvda"
    snapshot_id = aws_ebs_snapshot_import.image.id
    volume_type = "gp3"
  }
  tags = local.tags
}

resource "aws_instance" "machine" {
  count         = var.machines
  ami           = aws_ami.image.id
  instance_type = "t3.small"
  metadata_options {
    http_tokens = "required"
  }
  tags = local.tags
  # What runs goes once what replaces it is there: so do, before it, the image and the snapshot.
  lifecycle {
    create_before_destroy = true
  }
}

locals {
  tags = {
    "kverify-channel" = var.image_channel
    "kverify-number"  = var.image_number
    "kverify-digest"  = var.image_digest
  }
}
