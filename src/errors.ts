// Owns the one catalogue of errors: code, cause, remedy, retryable, HTTP status, CLI exit code.
// docs/errors.md has a row for each code; a test keeps the two equal.

interface CatalogueEntry {
  /** What happened, in general. The message of a thrown error says it for the case at hand. */
  readonly cause: string
  /** What the user can do about it. */
  readonly remedy: string
  /** Whether the same request may succeed later without a change. */
  readonly retryable: boolean
  readonly httpStatus: number
}

const entry = (
  cause: string,
  remedy: string,
  httpStatus: number,
  retryable = false,
): CatalogueEntry => ({ cause, remedy, httpStatus, retryable })

export const ERROR_CATALOGUE = {
  // The request
  REQUEST_INVALID: entry(
    'A request, an experiment file or an option has missing, unknown or wrong values.',
    'Correct every listed field; `headstart <command> --help` shows what each takes.',
    400,
  ),
  CONFIG_INVALID: entry(
    'An environment variable has a value that cannot be used.',
    'Correct the named variable; docs/configuration.md lists them all.',
    400,
  ),
  NOT_FOUND: entry(
    'No object of that kind has the given name or id.',
    'List what exists with `headstart bases|datasets|features|runs ls`.',
    404,
  ),
  NAME_TAKEN: entry(
    'The name is in use for something else.',
    'Choose another name, or pass --replace to point it to the new one.',
    409,
  ),
  IN_USE: entry(
    'Something else needs the object that is to be removed.',
    'Remove what needs it first, or pass --force.',
    409,
  ),
  INPUT_MISSING: entry(
    'A file or folder that was given does not exist or cannot be read.',
    'Check the path and its permissions.',
    400,
  ),

  // Bases
  BASE_INVALID: entry(
    'The base is no model that can be trusted: TF.js LayersModel or GraphModel, ONNX, or SavedModel.',
    'Export or convert the model again and register the whole folder, or the .onnx file.',
    422,
  ),
  BASE_WEIGHTS_INVALID: entry(
    'The weight files are missing, of the wrong length, or hold values that are not finite.',
    'Copy or download the weight files again; every file in weightsManifest must be there.',
    422,
  ),
  BASE_PATH_UNSAFE: entry(
    'A weight path leaves the folder of the model.',
    'Do not use this model unless you trust its author; put all files into one folder.',
    422,
  ),
  BASE_TOO_LARGE: entry(
    'The base has more parameters or bytes than the limit.',
    'Use a smaller base.',
    413,
  ),
  BASE_LAYER_UNKNOWN: entry(
    'The base uses a layer class or an operation that the engine does not know.',
    'Export the base without custom layers, or use another engine.',
    422,
  ),
  BASE_NOT_COMPILED: entry(
    'The base has no form that onnxruntime can compute.',
    'Register it again with `headstart base add`, or use another engine; the message says why.',
    422,
  ),
  BASE_NOT_ALLOWED: entry(
    'The base is a SavedModel, which is native code, and this machine does not run any.',
    'If you trust its author with everything that this process may do, set HEADSTART_ALLOW_SAVED_MODELS=1; else convert it with tensorflowjs_converter.',
    403,
  ),
  BASE_DOWNLOAD_FAILED: entry(
    'The base could not be downloaded.',
    'Check the URL and the network, then run the command again.',
    502,
    true,
  ),
  CUT_NOT_FOUND: entry(
    'The base has no layer or output of that name.',
    'List what can be cut with `headstart base layers <base>`.',
    422,
  ),
  CUT_UNUSABLE: entry(
    'The layer exists but its output cannot serve as features.',
    'Choose a layer with one float output of known shape.',
    422,
  ),

  // Datasets
  DATASET_EMPTY: entry(
    'No sample was found.',
    'Give a folder of class folders with images, a CSV or JSONL table, or a tensor file.',
    422,
  ),
  DATASET_INVALID: entry(
    'The dataset description has faults.',
    'Correct the listed rows; docs/datasets.md shows each format.',
    422,
  ),
  DATASET_TOO_FEW_CLASSES: entry(
    'A classifier needs at least two classes.',
    'Add a second class folder or label.',
    422,
  ),
  DATASET_CLASS_TOO_SMALL: entry(
    'A class has too few samples to train on and to measure.',
    'Give each class at least two distinct samples, or leave the class out.',
    422,
  ),
  DATASET_CHANGED: entry(
    'Files changed or vanished after the dataset was indexed.',
    'Run the command again (or `dataset add` for a registered dataset); work done is kept.',
    409,
    true,
  ),
  DATASET_UNREACHABLE: entry(
    'The content of the dataset lies on another machine and was not pushed to the store.',
    'Push it with `headstart dataset push` where its files are, or give an s3:// source.',
    422,
  ),
  DATASET_QUARANTINE_EXCEEDED: entry(
    'More samples than maxQuarantine allows could not be decoded or computed.',
    'Repair or remove the listed files, or raise maxQuarantine; features computed so far are kept.',
    422,
  ),
  SAMPLE_INVALID: entry('A sample could not be decoded.', 'Repair or remove the file.', 422),

  // Extraction
  EXTRACTOR_INPUT_MISMATCH: entry(
    'The samples do not fit the input of the base.',
    'Choose a base, a size or a dataset so that the shapes agree.',
    422,
  ),
  ENGINE_UNAVAILABLE: entry(
    'The engine that was asked for cannot run here.',
    'Install it as docs/engines.md says, or use --engine wasm.',
    501,
  ),
  ENGINE_FAILED: entry(
    'The engine or the decoder stopped while working.',
    'Run the command again; features computed so far are kept. If it fails again, free memory or use another engine.',
    500,
    true,
  ),
  FEATURES_CORRUPT: entry(
    'A shard does not have the bytes that were recorded for it.',
    'Run the command again: the shard is computed anew.',
    500,
    true,
  ),
  FEATURES_TOO_LARGE: entry(
    'One shard of the features of all views does not fit in the memory that training may use.',
    'Raise HEADSTART_MEMORY, or use pooling, a narrower cut or fewer views.',
    413,
  ),
  FEATURES_MISMATCH: entry(
    'Features do not belong to the extractor or dataset that asked for them.',
    'Extract the features again with this extractor.',
    409,
  ),

  // Heads
  HEAD_INVALID: entry(
    'The head does not fit the features or the task.',
    'Correct the head spec; docs/heads.md lists what each kind takes.',
    422,
  ),
  HEAD_DIVERGED: entry(
    'Training reached a loss that is not finite.',
    'Lower the learning rate, or look for broken targets.',
    422,
  ),
  PARITY_FAILED: entry(
    'Features computed again for serving differ from the features that the head was trained on.',
    'Do not use the head. Remove the features with `headstart features rm` and extract again.',
    500,
  ),
  EXPORT_FAILED: entry(
    'The exported model, loaded again, does not predict what the run predicts.',
    'Report it with the model card; nothing was left in the target folder.',
    500,
  ),
  EXPORT_IMPOSSIBLE: entry(
    'The run cannot be written in the form that was asked for.',
    'Leave --format and --fold-batchnorm out: what is possible is written, and the rest said with its reason.',
    422,
  ),

  // Queue and service
  QUEUE_UNAVAILABLE: entry(
    'The queue cannot be reached.',
    'Check HEADSTART_QUEUE and that Redis answers; `headstart doctor` looks closer.',
    503,
    true,
  ),
  QUEUE_OWNED: entry(
    'Another process owns the folder of the embedded queue.',
    'Use the service that runs (the command line finds it by itself), stop it, or set HEADSTART_QUEUE to redis://....',
    409,
  ),
  JOB_CANCELLED: entry(
    'The job was cancelled.',
    'Send the same request again: what was computed is kept.',
    409,
  ),
  JOB_LOST: entry(
    'The queue does not know the job any more.',
    'Send the same request again: what was computed is kept.',
    410,
    true,
  ),
  WORKER_INVALID: entry(
    'A worker has no handler for a kind of job, or has two.',
    'Report it as a defect.',
    500,
  ),

  // HTTP
  UNAUTHORIZED: entry(
    'The request has no bearer token, or a wrong one.',
    'Send `Authorization: Bearer <token>` with the token of the service (HEADSTART_TOKEN).',
    401,
  ),
  FORBIDDEN: entry(
    'The request may not be answered: a signed link was edited or is too old, or a web page of another origin sent it.',
    'Ask for a new link, or call the service by the address that it listens on.',
    403,
  ),
  SOURCE_NOT_ALLOWED: entry(
    'The service may not read from the place that the request names.',
    'Register it on the machine of the service (`headstart base add`, `headstart dataset add`) and use its name, or add the host or bucket to HEADSTART_ALLOWED_SOURCES.',
    403,
  ),
  ROUTE_UNKNOWN: entry(
    'The service has no such path.',
    'Correct the path; /openapi.json lists all.',
    404,
  ),
  METHOD_NOT_ALLOWED: entry(
    'The path exists, but not for this method.',
    'Use a method that the header Allow names.',
    405,
  ),
  REQUEST_TIMEOUT: entry(
    'The request did not arrive in time.',
    'Send it again over a faster connection, or send less.',
    408,
    true,
  ),
  BODY_TOO_LARGE: entry(
    'The body, one of its files or their number exceeds the limit.',
    'Send less at a time; docs/http.md lists the limits.',
    413,
  ),
  URL_TOO_LONG: entry('The URL or a part of it is too long.', 'Shorten it.', 414),
  MEDIA_TYPE: entry(
    'The body has a type or an encoding that the path does not take.',
    'Send application/json, or multipart/form-data for predictions, without a content encoding.',
    415,
  ),
  RATE_LIMITED: entry(
    'Too many requests came from one address.',
    'Wait as long as the header Retry-After says.',
    429,
    true,
  ),
  HEADERS_TOO_LARGE: entry('The headers of the request are too large.', 'Send fewer.', 431),
  SERVICE_BUSY: entry(
    'The service has as much work or as many open streams as it may hold.',
    'Wait as long as the header Retry-After says, then send it again.',
    503,
    true,
  ),
  SERVICE_UNAVAILABLE: entry(
    'The service does not answer, or is not ready.',
    'Check that `headstart up` runs at this address; /health/ready says what is missing.',
    503,
    true,
  ),
  DEADLINE_EXCEEDED: entry(
    'The service could not answer in time.',
    'Send it again; ask for less at a time if it persists.',
    504,
    true,
  ),

  // Store and machine
  STORE_UNAVAILABLE: entry(
    'The store cannot be reached or written.',
    'Check HEADSTART_STORE, the credentials, the permissions and the network.',
    503,
    true,
  ),
  STORE_FULL: entry(
    'The disk is full.',
    'Free space (`headstart gc` helps) and run the command again; finished work is kept.',
    507,
    true,
  ),
  STORE_KEY_INVALID: entry(
    'A store key or name has characters that are not allowed.',
    'Use letters, digits, dot, dash and underscore.',
    400,
  ),
  STORE_CONFLICT: entry(
    'A write-once object exists with other content, or a name was changed by someone else meanwhile.',
    'Run the command again; if it persists, run `headstart doctor`.',
    409,
    true,
  ),
  STORE_CORRUPT: entry(
    'A stored object does not have the bytes that were recorded for it.',
    'Restore the object from a backup, or remove it and run again.',
    500,
  ),
  INTERRUPTED: entry(
    'The work was interrupted.',
    'Run the same command again: it goes on where it stopped.',
    499,
    true,
  ),
  INTERNAL: entry(
    'A defect of this software.',
    'Report it with the command and the stack trace (HEADSTART_DEBUG=1 prints it).',
    500,
  ),
} as const satisfies Record<string, CatalogueEntry>

export type ErrorCode = keyof typeof ERROR_CATALOGUE

/** Every error that this software throws on purpose. */
export class HeadstartError extends Error {
  override readonly name = 'HeadstartError'
  readonly code: ErrorCode
  /** Single faults, each worth a line of its own: fields, rows, file names. */
  readonly details: readonly string[]

  constructor(
    code: ErrorCode,
    message: string,
    options: { cause?: unknown; details?: readonly string[] } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.details = options.details ?? []
  }

  get remedy(): string {
    return ERROR_CATALOGUE[this.code].remedy
  }

  get retryable(): boolean {
    return ERROR_CATALOGUE[this.code].retryable
  }

  get httpStatus(): number {
    return ERROR_CATALOGUE[this.code].httpStatus
  }
}

export const isHeadstartError = (error: unknown, code?: ErrorCode): error is HeadstartError =>
  error instanceof HeadstartError && (code === undefined || error.code === code)

/** Message of anything that was thrown. */
export const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error)

/** Throws INTERRUPTED when the signal has fired. */
export const assertNotAborted = (signal: AbortSignal | undefined): void => {
  if (signal?.aborted) throw new HeadstartError('INTERRUPTED', 'interrupted')
}
