//! Runs `yikatong_fuzz::memories`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| yikatong_fuzz::memories(data));
