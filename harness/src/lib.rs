//! How it is found out what an image is: images, machines, sessions, runs, reports.
