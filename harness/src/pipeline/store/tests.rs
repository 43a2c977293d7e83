//! The store on a folder and on a real S3 server, and on what is wrong with either.

mod broken;
mod child;
mod images;
mod killed;
mod objects;
mod rows;
mod scene;
mod server;
