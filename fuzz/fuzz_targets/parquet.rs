//! Runs `yikatong_fuzz::parquet`.
#![no_main]

use libfuzzer_sys::fuzz_target;

// The reader turns a panic of the Parquet library into an error; libFuzzer's hook would end the process first. A
// panic that the reader lets through is still a crash.
fuzz_target!(
    init: { let _ = std::panic::take_hook(); },
    |data: &[u8]| yikatong_fuzz::parquet(data)
);
