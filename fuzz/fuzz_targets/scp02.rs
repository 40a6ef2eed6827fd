//! Runs `yikatong_fuzz::scp02`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| yikatong_fuzz::scp02(data));
