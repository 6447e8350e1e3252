//! The functions of C that `SQLite` calls and JavaScript has: mathematics and the local time. Every browser brings its own, so a second
//! copy need not be downloaded. The linker leads `SQLite`'s calls here by `--wrap` (`hub-js/build/wasm.mjs`); what is built without it has
//! those of Rust and of sqlite-wasm-rs. `ceil`, `floor`, `trunc` and `sqrt` are instructions.

use std::ffi::c_int;

use js_sys::{Date, Math};

macro_rules! from_javascript {
    ($($wrapped:ident($($x:ident),+) = $name:ident)+) => {$(
        #[unsafe(no_mangle)]
        extern "C" fn $wrapped($($x: f64),+) -> f64 {
            Math::$name($($x),+)
        }
    )+};
}

from_javascript! {
    __wrap_acos(x) = acos
    __wrap_asin(x) = asin
    __wrap_atan(x) = atan
    __wrap_atan2(y, x) = atan2
    __wrap_cos(x) = cos
    __wrap_cosh(x) = cosh
    __wrap_exp(x) = exp
    __wrap_log(x) = log
    __wrap_log10(x) = log10
    __wrap_log2(x) = log2
    __wrap_rust_sqlite_wasm_acosh(x) = acosh
    __wrap_rust_sqlite_wasm_asinh(x) = asinh
    __wrap_rust_sqlite_wasm_atanh(x) = atanh
    __wrap_sin(x) = sin
    __wrap_sinh(x) = sinh
    __wrap_tan(x) = tan
    __wrap_tanh(x) = tanh
}

/// C and JavaScript differ where the exponent does not matter: 1 to any power, and -1 to an infinite one, is 1 in C.
#[unsafe(no_mangle)]
extern "C" fn __wrap_pow(base: f64, exponent: f64) -> f64 {
    if base == 1.0 || (base == -1.0 && exponent.is_infinite()) { 1.0 } else { Math::pow(base, exponent) }
}

/// JavaScript has it as an operator only. Every step is exact: what is taken away is at least half of what is left of it.
#[unsafe(no_mangle)]
extern "C" fn __wrap_fmod(x: f64, y: f64) -> f64 {
    let (mut rest, unit) = (x.abs(), y.abs());
    // Also where one of them is no number.
    if !(rest < f64::INFINITY && unit > 0.0) {
        return f64::NAN;
    }
    let mut part = unit;
    while part <= rest - part {
        part += part;
    }
    loop {
        if part <= rest {
            rest -= part;
        }
        if part == unit {
            return rest.copysign(x);
        }
        part *= 0.5;
    }
}

/// What `SQLite` reads of C's `struct tm`, and the room for the rest of it.
#[repr(C)]
struct Tm {
    second: c_int,
    minute: c_int,
    hour: c_int,
    day: c_int,
    month: c_int,
    years_since_1900: c_int,
    unread: [c_int; 5],
}

static mut LOCAL: Tm = Tm { second: 0, minute: 0, hour: 0, day: 0, month: 0, years_since_1900: 0, unread: [0; 5] };

/// `SQLite` asks for times from 1970 to 2038 only.
///
/// # Safety
/// `seconds` points to a number, and what was returned before is no longer read.
#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap_rust_sqlite_wasm_localtime(seconds: *const i64) -> *const Tm {
    // SAFETY: As promised by the caller.
    #[allow(clippy::cast_precision_loss, reason = "exact up to the year 285,000,000")]
    let date = Date::new(&(unsafe { *seconds } as f64 * 1000.0).into());
    #[allow(clippy::cast_possible_wrap, reason = "all of them are small")]
    let local = Tm {
        second: date.get_seconds() as c_int,
        minute: date.get_minutes() as c_int,
        hour: date.get_hours() as c_int,
        day: date.get_date() as c_int,
        month: date.get_month() as c_int,
        years_since_1900: date.get_full_year() as c_int - 1900,
        unread: [0; 5],
    };
    let place = &raw mut LOCAL;
    // SAFETY: There is one thread, and nobody reads it now.
    unsafe { place.write(local) };
    place
}
