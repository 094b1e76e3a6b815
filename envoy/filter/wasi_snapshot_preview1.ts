// The calls of WASI that the filter makes. The file's name is the module that Envoy has it in.

export declare function clock_time_get(clock: i32, precision: i64, result: usize): i32;
export declare function random_get(at: usize, size: i32): i32;
