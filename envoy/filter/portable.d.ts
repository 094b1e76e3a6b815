// The number types of AssemblyScript, for the files that Node runs as well (columns.ts, queue.ts).
declare type i32 = number;
declare type f64 = number;
declare type bool = boolean;
