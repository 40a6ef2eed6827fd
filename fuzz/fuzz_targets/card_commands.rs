//! Runs `yikatong_fuzz::card_commands`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| yikatong_fuzz::card_commands(data));
