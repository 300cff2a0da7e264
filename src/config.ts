// Owns the environment: the one parser of HEADSTART_* variables. Only entries (cli, workers) call it.
import { resolve } from 'node:path'
import { z } from 'zod'
import { HeadstartError } from './errors.js'
import { deviceSchema } from './extractor/device.js'
import { DEFAULT_ENGINE_SETTINGS, type EngineSettings } from './extractor/engine-settings.js'

const flag = z
  .enum(['0', '1', 'true', 'false'])
  .transform((value) => value === '1' || value === 'true')

const BYTES_OF_UNIT: Readonly<Record<string, number>> = {
  '': 1,
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
  TIB: 2 ** 40,
}

/** A number of bytes with or without a unit: `4GB`, `512 MiB`, `1500000000`. */
const byteCount = z.string().transform((text, context) => {
  const [, amount, unit = ''] = /^(\d{1,15}(?:\.\d{1,9})?) ?([A-Za-z]{0,3})$/.exec(text) ?? []
  const bytes = Math.floor(Number(amount) * (BYTES_OF_UNIT[unit.toUpperCase()] ?? Number.NaN))
  if (Number.isSafeInteger(bytes) && bytes > 0) return bytes
  context.addIssue({ code: 'custom', message: 'bytes with a unit from B to TB or TiB, like 4GB' })
  return z.NEVER
})

const environmentSchema = z.object({
  HEADSTART_STORE: z.string().min(1).optional(),
  HEADSTART_S3_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
  HEADSTART_S3_REGION: z.string().min(1).optional(),
  AWS_REGION: z.string().min(1).optional(),
  AWS_DEFAULT_REGION: z.string().min(1).optional(),
  HEADSTART_S3_FORCE_PATH_STYLE: flag.optional(),
  HEADSTART_S3_CHECKSUMS: z.enum(['WHEN_REQUIRED', 'WHEN_SUPPORTED']).optional(),
  HEADSTART_CACHE_BYTES: z.coerce.number().int().positive().optional(),
  HEADSTART_MEMORY: byteCount.optional(),
  HEADSTART_QUEUE: z.string().min(1).optional(),
  HEADSTART_TOKEN: z
    .string()
    .regex(/^[\x21-\x7e]{16,512}$/, '16 to 512 printable characters without spaces')
    .optional(),
  HEADSTART_ALLOWED_SOURCES: z.string().optional(),
  HEADSTART_DEVICE: deviceSchema.optional(),
  HEADSTART_TENSORFLOW: z.string().min(1).optional(),
  HEADSTART_ALLOW_SAVED_MODELS: flag.optional(),
  HEADSTART_DEBUG: flag.optional(),
})

export interface Config {
  /** Undefined: the embedded store in `.headstart/store`. */
  readonly storeUrl: string | undefined
  readonly s3Endpoint: string | undefined
  readonly s3Region: string | undefined
  readonly s3ForcePathStyle: boolean | undefined
  readonly s3Checksums: 'WHEN_REQUIRED' | 'WHEN_SUPPORTED' | undefined
  /** Bound of the local copies of remote shards, in bytes. */
  readonly cacheBytes: number
  /** Most memory for the features of a training, in bytes. Undefined: a share of the machine's. */
  readonly memoryBytes: number | undefined
  /** `redis://...`, or the folder of an embedded queue. Undefined: no queue unless a service runs. */
  readonly queueUrl: string | undefined
  /** Bearer token of the service. Undefined: it listens on loopback only. */
  readonly token: string | undefined
  /** Hosts and `s3://bucket/prefix` that the service may read from for its callers. */
  readonly allowedSources: readonly string[]
  readonly engines: EngineSettings
}

type Environment = Readonly<Record<string, string | undefined>>

const DEFAULT_CACHE_BYTES = 20 * 2 ** 30

/** Whether to print stack traces. Never throws: it is asked when something else failed. */
export const parseDebug = (environment: Environment): boolean =>
  environmentSchema.shape.HEADSTART_DEBUG.safeParse(environment.HEADSTART_DEBUG).data ?? false

/** @throws CONFIG_INVALID naming every variable at fault. */
export const parseConfig = (environment: Environment): Config => {
  const result = environmentSchema.safeParse(environment)
  if (!result.success)
    throw new HeadstartError('CONFIG_INVALID', 'the environment cannot be used', {
      details: result.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`),
    })
  const parsed = result.data
  return {
    storeUrl: parsed.HEADSTART_STORE,
    s3Endpoint: parsed.HEADSTART_S3_ENDPOINT,
    s3Region: parsed.HEADSTART_S3_REGION ?? parsed.AWS_REGION ?? parsed.AWS_DEFAULT_REGION,
    s3ForcePathStyle: parsed.HEADSTART_S3_FORCE_PATH_STYLE,
    s3Checksums: parsed.HEADSTART_S3_CHECKSUMS,
    cacheBytes: parsed.HEADSTART_CACHE_BYTES ?? DEFAULT_CACHE_BYTES,
    memoryBytes: parsed.HEADSTART_MEMORY,
    queueUrl: parsed.HEADSTART_QUEUE,
    token: parsed.HEADSTART_TOKEN,
    allowedSources: (parsed.HEADSTART_ALLOWED_SOURCES ?? '')
      .split(',')
      .map((source) => source.trim())
      .filter((source) => source !== ''),
    engines: {
      device: parsed.HEADSTART_DEVICE ?? DEFAULT_ENGINE_SETTINGS.device,
      tensorflowFolder:
        parsed.HEADSTART_TENSORFLOW === undefined ? null : resolve(parsed.HEADSTART_TENSORFLOW),
      allowSavedModels: parsed.HEADSTART_ALLOW_SAVED_MODELS ?? false,
    },
  }
}
