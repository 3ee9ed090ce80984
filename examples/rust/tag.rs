//! Tags texts from Rust, by hand over nerfit.h.
//!
//!     rustc -O tag.rs $(pkg-config --libs-only-L nerfit) -o tag
//!     ./tag MODEL "wake me at nine" "play some jazz"
use std::ffi::{c_char, c_double, c_int, c_long, c_void, CStr, CString};
use std::{env, fmt, mem, process, ptr, slice};

/// What this program uses of nerfit.h, member by member.
mod ffi {
    use super::*;

    #[repr(C)]
    pub struct Error {
        pub code: c_int,
        pub line: c_long,
        pub column: c_long,
        pub file: [c_char; 256],
        pub text: [c_char; 1024],
    }

    /// The struct's first members: `size` tells the library that it ends here.
    #[repr(C)]
    pub struct ModelOptions {
        pub size: usize,
        pub backend: *const c_char,
        pub precision: *const c_char,
        pub threads: c_int,
    }

    #[repr(C)]
    pub struct Entity {
        pub start: u32,
        pub end: u32,
        pub byte_start: usize,
        pub byte_end: usize,
        pub label: *const c_char,
        pub score: c_double,
    }

    #[repr(C)]
    pub struct Prediction {
        pub entities: *const Entity,
        pub n_entities: usize,
        pub tokens: *const c_void,
        pub n_tokens: usize,
    }

    pub enum Model {}
    pub enum Session {}

    #[link(name = "nerfit")]
    extern "C" {
        pub fn nerfit_model_load(
            model: *mut *mut Model,
            folder: *const c_char,
            options: *const ModelOptions,
            error: *mut Error,
        ) -> c_int;
        pub fn nerfit_model_free(model: *mut Model);
        pub fn nerfit_session_new(
            session: *mut *mut Session,
            model: *const Model,
            error: *mut Error,
        ) -> c_int;
        pub fn nerfit_session_free(session: *mut Session);
        pub fn nerfit_predict(
            session: *mut Session,
            texts: *const *const c_char,
            sizes: *const usize,
            count: usize,
            predictions: *mut *const Prediction,
            error: *mut Error,
        ) -> c_int;
    }
}

/// What the library says of a failure, with its place in the input.
struct Error(String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn call(f: impl FnOnce(*mut ffi::Error) -> c_int) -> Result<(), Error> {
    // SAFETY: plain numbers and characters, for which zeros are a value
    let mut error: ffi::Error = unsafe { mem::zeroed() };
    if f(&mut error) == 0 {
        return Ok(());
    }
    // SAFETY: the library ends its text with a NUL
    let text = unsafe { CStr::from_ptr(error.text.as_ptr()) };
    Err(Error(text.to_string_lossy().into_owned()))
}

struct Entity<'a> {
    label: String,
    text: &'a str,
    score: f64,
}

/// Immutable, shared by sessions of any thread.
struct Model(*mut ffi::Model);
unsafe impl Send for Model {}
unsafe impl Sync for Model {}

impl Model {
    /// threads 0: all cores.
    fn load(folder: &str, threads: c_int) -> Result<Model, Error> {
        let folder = CString::new(folder).map_err(|e| Error(e.to_string()))?;
        let options = ffi::ModelOptions {
            size: mem::size_of::<ffi::ModelOptions>(),
            backend: ptr::null(),
            precision: ptr::null(),
            threads,
        };
        let mut model = ptr::null_mut();
        // SAFETY: all arguments live through the call
        call(|error| unsafe { ffi::nerfit_model_load(&mut model, folder.as_ptr(), &options, error) })?;
        Ok(Model(model))
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        unsafe { ffi::nerfit_model_free(self.0) }
    }
}

/// One thread's; the model outlives it.
struct Session<'m> {
    session: *mut ffi::Session,
    _model: &'m Model,
}

impl<'m> Session<'m> {
    fn new(model: &'m Model) -> Result<Session<'m>, Error> {
        let mut session = ptr::null_mut();
        call(|error| unsafe { ffi::nerfit_session_new(&mut session, model.0, error) })?;
        Ok(Session { session, _model: model })
    }

    fn tag<'t>(&mut self, texts: &[&'t str]) -> Result<Vec<Vec<Entity<'t>>>, Error> {
        let data: Vec<_> = texts.iter().map(|t| t.as_ptr() as *const c_char).collect();
        let sizes: Vec<_> = texts.iter().map(|t| t.len()).collect();
        let mut found = ptr::null();
        call(|error| unsafe {
            let (data, sizes) = (data.as_ptr(), sizes.as_ptr());
            ffi::nerfit_predict(self.session, data, sizes, texts.len(), &mut found, error)
        })?;
        // SAFETY: predictions belong to the session until its next call; all is copied here
        let entities = |i: usize| unsafe {
            let prediction = &*found.add(i);
            if prediction.n_entities == 0 {
                return Vec::new();
            }
            slice::from_raw_parts(prediction.entities, prediction.n_entities)
                .iter()
                .map(|e| Entity {
                    label: CStr::from_ptr(e.label).to_string_lossy().into_owned(),
                    text: &texts[i][e.byte_start..e.byte_end],
                    score: e.score,
                })
                .collect()
        };
        Ok((0..texts.len()).map(entities).collect())
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        unsafe { ffi::nerfit_session_free(self.session) }
    }
}

fn run(folder: &str, texts: &[&str]) -> Result<(), Error> {
    let model = Model::load(folder, 0)?;
    for entities in Session::new(&model)?.tag(texts)? {
        for e in entities {
            println!("{}: {} ({:.4})", e.label, e.text, e.score);
        }
    }
    Ok(())
}

fn main() {
    let arguments: Vec<String> = env::args().collect();
    if arguments.len() < 3 {
        eprintln!("usage: {} MODEL TEXT...", arguments[0]);
        process::exit(2);
    }
    let texts: Vec<&str> = arguments[2..].iter().map(String::as_str).collect();
    if let Err(error) = run(&arguments[1], &texts) {
        eprintln!("{error}");
        process::exit(1);
    }
}
