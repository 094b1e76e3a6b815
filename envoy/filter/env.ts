// The calls of proxy-wasm 0.2.1 that the filter makes. The file's name is the module that Envoy has them in.

export declare function proxy_get_current_time_nanoseconds(result: usize): i32;
export declare function proxy_set_tick_period_milliseconds(ms: u32): i32;
export declare function proxy_set_effective_context(context: u32): i32;
export declare function proxy_get_property(path: usize, size: usize, data: usize, dataSize: usize): i32;
export declare function proxy_set_property(path: usize, size: usize, value: usize, valueSize: usize): i32;
export declare function proxy_get_buffer_bytes(buffer: i32, start: u32, most: u32, data: usize, dataSize: usize): i32;
export declare function proxy_get_header_map_value(
  map: i32,
  name: usize,
  nameSize: usize,
  data: usize,
  dataSize: usize,
): i32;
export declare function proxy_get_header_map_pairs(map: i32, data: usize, dataSize: usize): i32;
export declare function proxy_replace_header_map_value(
  map: i32,
  name: usize,
  nameSize: usize,
  value: usize,
  valueSize: usize,
): i32;
export declare function proxy_add_header_map_value(
  map: i32,
  name: usize,
  nameSize: usize,
  value: usize,
  valueSize: usize,
): i32;
export declare function proxy_remove_header_map_value(map: i32, name: usize, nameSize: usize): i32;
export declare function proxy_continue_stream(type: i32): i32;
export declare function proxy_send_local_response(
  status: u32,
  details: usize,
  detailsSize: usize,
  body: usize,
  bodySize: usize,
  headers: usize,
  headersSize: usize,
  grpcStatus: i32,
): i32;
export declare function proxy_http_call(
  cluster: usize,
  clusterSize: usize,
  headers: usize,
  headersSize: usize,
  body: usize,
  bodySize: usize,
  trailers: usize,
  trailersSize: usize,
  timeoutMs: u32,
  token: usize,
): i32;
export declare function proxy_grpc_stream(
  target: usize,
  targetSize: usize,
  service: usize,
  serviceSize: usize,
  method: usize,
  methodSize: usize,
  metadata: usize,
  metadataSize: usize,
  token: usize,
): i32;
export declare function proxy_grpc_call(
  target: usize,
  targetSize: usize,
  service: usize,
  serviceSize: usize,
  method: usize,
  methodSize: usize,
  metadata: usize,
  metadataSize: usize,
  message: usize,
  messageSize: usize,
  timeoutMs: u32,
  token: usize,
): i32;
export declare function proxy_grpc_send(token: u32, message: usize, size: usize, end: i32): i32;
export declare function proxy_grpc_cancel(token: u32): i32;
export declare function proxy_define_metric(type: i32, name: usize, size: usize, id: usize): i32;
export declare function proxy_increment_metric(id: u32, by: i64): i32;
export declare function proxy_get_shared_data(
  key: usize,
  keySize: usize,
  data: usize,
  dataSize: usize,
  version: usize,
): i32;
export declare function proxy_set_shared_data(
  key: usize,
  keySize: usize,
  value: usize,
  valueSize: usize,
  version: u32,
): i32;
export declare function proxy_register_shared_queue(name: usize, size: usize, token: usize): i32;
export declare function proxy_resolve_shared_queue(
  vmId: usize,
  vmIdSize: usize,
  name: usize,
  size: usize,
  token: usize,
): i32;
export declare function proxy_enqueue_shared_queue(token: u32, message: usize, size: usize): i32;
export declare function proxy_dequeue_shared_queue(token: u32, data: usize, dataSize: usize): i32;
