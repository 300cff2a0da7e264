// Owns the bounds of the service, each with its unit and its reason.

export interface Limits {
  readonly jsonBytes: number
  readonly headersTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly connectionsCheckMs: number
  readonly keepAliveTimeoutMs: number
  readonly maxConnections: number
  readonly rateWindowMs: number
  readonly rateMax: number
  readonly answerTimeoutMs: number
  readonly enqueueTimeoutMs: number
  readonly maxFiles: number
  readonly fileBytes: number
  readonly uploadBytes: number
  readonly uploadBytesInMemory: number
  readonly batchWaitMs: number
  readonly waitingSamples: number
  readonly openModels: number
  readonly modelIdleMs: number
  readonly eventStreams: number
  readonly heartbeatMs: number
  readonly linkLifetimeMs: number
  readonly readyTimeoutMs: number
}

export const DEFAULT_LIMITS: Limits = {
  /** The largest request is an experiment; 1,000 heads take a third of this. */
  jsonBytes: 2 ** 20,
  /** Whoever sends headers this slowly is no client. */
  headersTimeoutMs: 10_000,
  /** 64 MiB in this time is 9 Mbit/s. */
  requestTimeoutMs: 60_000,
  /** How late a slow connection may be noticed. */
  connectionsCheckMs: 1_000,
  /** Longer than the 60 s of usual proxies, so that they close first. */
  keepAliveTimeoutMs: 72_000,
  /** Each costs a file descriptor and some 50 KiB. */
  maxConnections: 4_096,
  rateWindowMs: 10_000,
  /** Of one address in the window: 1,000 a second, with room for as many at once. */
  rateMax: 10_000,
  /** Reading a catalogue or predicting takes less, or is stuck. */
  answerTimeoutMs: 30_000,
  /** Indexing a dataset reads all of its content once. */
  enqueueTimeoutMs: 6 * 3_600_000,
  /** Files of one predict request. */
  maxFiles: 32,
  /** A 50-megapixel JPEG has less. */
  fileBytes: 20 * 2 ** 20,
  /** All files of one request. */
  uploadBytes: 64 * 2 ** 20,
  /** Files of all requests together: what uploads may take of the memory. */
  uploadBytesInMemory: 512 * 2 ** 20,
  /** Little beside the time of a batch, enough for requests that come together. */
  batchWaitMs: 3,
  /** Of one model; at 50 samples a second the last one waits 20 s. */
  waitingSamples: 1_024,
  /** Each has engine threads with a copy of its base. */
  openModels: 4,
  modelIdleMs: 10 * 60_000,
  eventStreams: 512,
  /** Below the idle timeouts of proxies. */
  heartbeatMs: 15_000,
  /** Enough to begin a download. */
  linkLifetimeMs: 15 * 60_000,
  /** Orchestrators ask every few seconds. */
  readyTimeoutMs: 2_000,
}

/** Levels of arrays and objects in a body; a head's topology may have 64 of its own. */
export const MAX_JSON_DEPTH = 64
/** A path parameter; names have 100 characters, ids 64. */
export const MAX_PARAM_CHARACTERS = 200
/** Store keys have at most 900. */
export const MAX_URL_CHARACTERS = 4_096
/** What a form may hold beside files, which is nothing that is used. */
export const MAX_FORM_FIELD_BYTES = 1_024
