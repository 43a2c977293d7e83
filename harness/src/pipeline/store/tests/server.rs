//! An S3 server in this process: s3s on a folder, and before it the manners of servers that tests need.

use std::{
    collections::HashMap,
    convert::Infallible,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{
    Method, Request, Response,
    header::{CONTENT_LENGTH, IF_NONE_MATCH},
};
use hyper::{
    body::{Bytes, Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use object_store::aws::AmazonS3Builder;
use s3s::{
    Body, HttpError,
    auth::SimpleAuth,
    service::{S3Service, S3ServiceBuilder},
};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::Mutex, task::JoinHandle};

use super::super::{Location, Store};

const KEY: &str = "key";
const SECRET: &str = "secret";
const LOCATION: &str = "s3://bucket/a/prefix";

/// How the server behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// Of two who create a key only the first does so: s3s-fs alone looks and then writes, so that needs a lock.
    Keeps,
    /// It takes no notice of the wish to create only.
    Forgets,
    /// It answers 500.
    Fails,
    /// It takes requests and never answers.
    Hangs,
    /// One bit of each object that it gives out is wrong.
    Alters,
    /// It gives out less than the object has, and says so.
    Shortens,
    /// It begins to give out an object, and stops.
    Stalls,
}

/// The server; it ends with this.
pub(super) struct Server {
    address: SocketAddr,
    root: TempDir,
    serving: JoinHandle<()>,
}

struct Front {
    manner: Manner,
    root: PathBuf,
    service: S3Service,
    locks: Mutex<HashMap<String, Arc<Mutex<()>>>>,
}

impl Server {
    pub(super) async fn start(manner: Manner) -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("bucket")).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut service = S3ServiceBuilder::new(s3s_fs::FileSystem::new(root.path()).unwrap());
        service.set_auth(SimpleAuth::from_single(KEY, SECRET));
        let front =
            Arc::new(Front { manner, root: root.path().to_owned(), service: service.build(), locks: Mutex::default() });
        let serving = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let front = Arc::clone(&front);
                let service = service_fn(move |request| {
                    let front = Arc::clone(&front);
                    async move { front.answer(request).await }
                });
                // A client that goes away is no matter of the server's.
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, root, serving }
    }

    /// The store on it, through connections of its own.
    pub(super) fn store(&self) -> Store {
        self.store_with(AmazonS3Builder::new())
    }

    /// The same, with something set besides.
    pub(super) fn store_with(&self, builder: AmazonS3Builder) -> Store {
        let endpoint = format!("http://{}", self.address);
        let builder = builder.with_endpoint(endpoint).with_allow_http(true);
        let builder = builder.with_access_key_id(KEY).with_secret_access_key(SECRET);
        let Ok(Location::Bucket(bucket)) = Location::parse(LOCATION) else { panic!("{LOCATION}") };
        Store { objects: bucket.s3(builder).unwrap(), folder: None, location: LOCATION.into() }
    }

    /// The environment by which another process finds it, and the location to open there.
    pub(super) fn environment(&self) -> (Vec<(&'static str, String)>, String) {
        let set = [
            ("AWS_ENDPOINT_URL", format!("http://{}", self.address)),
            ("AWS_ALLOW_HTTP", "true".to_owned()),
            ("AWS_ACCESS_KEY_ID", KEY.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
        ];
        (set.into(), LOCATION.to_owned())
    }

    /// The folder that holds all that the server keeps.
    pub(super) fn root(&self) -> &Path {
        self.root.path()
    }

    /// The folder that holds the objects of the store as files.
    pub(super) fn folder(&self) -> PathBuf {
        self.root.path().join("bucket/a/prefix")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Front {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, HttpError> {
        let path = request.headers().contains_key(IF_NONE_MATCH).then(|| request.uri().path().to_owned());
        match self.manner {
            Manner::Fails => return Ok(Response::builder().status(500).body(Body::empty()).unwrap()),
            Manner::Hangs => std::future::pending().await,
            // The header is signed, so it cannot be taken away; but what it is about can.
            Manner::Forgets if path.is_some() => drop(fs::remove_file(self.root.join(&request.uri().path()[1..]))),
            Manner::Forgets | Manner::Keeps | Manner::Alters | Manner::Shortens | Manner::Stalls => {}
        }
        let lock = match path {
            Some(path) => Some(Arc::clone(self.locks.lock().await.entry(path).or_default())),
            None => None,
        };
        let _held = match &lock {
            Some(lock) => Some(lock.lock().await),
            None => None,
        };
        let object = request.method() == Method::GET && request.uri().query().is_none();
        let mut response = self.service.call(request.map(Body::from)).await?;
        if object && response.status().is_success() && self.manner != Manner::Keeps {
            let mut bytes = response.body_mut().store_all_limited(1 << 30).await.unwrap().to_vec();
            let length = bytes.len() - usize::from(self.manner == Manner::Shortens);
            response.headers_mut().insert(CONTENT_LENGTH, length.into());
            bytes.truncate(length);
            *response.body_mut() = match self.manner {
                Manner::Alters => {
                    *bytes.last_mut().unwrap() ^= 1;
                    Body::from(bytes)
                }
                Manner::Stalls => Body::http_body(Half(Some(bytes[..length / 2].to_vec().into()))),
                _ => Body::from(bytes),
            };
        }
        Ok(response)
    }
}

/// The first half of a body; the second never comes.
struct Half(Option<Bytes>);

impl hyper::body::Body for Half {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.take().map_or(Poll::Pending, |bytes| Poll::Ready(Some(Ok(Frame::data(bytes)))))
    }
}
