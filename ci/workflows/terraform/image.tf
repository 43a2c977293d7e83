# For every platform: a link to this file is in the folder of each, so copy one with cp -rL.
# What `kverify channel get CHANNEL --format tfvars` says, and the file that `kverify fetch` left.
variable "image_channel" {
  type = string
}

variable "image_number" {
  type        = string
  description = "The number of the channel's record; it only grows."
}

variable "image_name" {
  type = string
}

variable "image_digest" {
  type        = string
  description = "sha256: and 64 hex digits, of the image as it was verified."
  validation {
    condition     = can(regex("^sha256:[0-9a-f]{64}$", var.image_digest))
    error_message = "No digest of an image; kverify channel get writes one."
  }
}

variable "image_file" {
  type        = string
  description = "What kverify fetch has left: held against the channel, or not there."
}
