// Owns the options that say what to extract and how to train, and their way into an experiment, so
// that the command line and experiment files share one schema and one report of faults.
import { type Command, InvalidArgumentError, Option } from 'commander'
import { type DeviceRequest, deviceSchema } from '../extractor/device.js'
import { ENGINE_REQUESTS, FITS, KERNELS, POOLINGS, PRECISIONS } from '../extractor/spec.js'

const parseDeviceName = (text: string): DeviceRequest => {
  const parsed = deviceSchema.safeParse(text)
  if (!parsed.success)
    throw new InvalidArgumentError(parsed.error.issues.map(({ message }) => message).join())
  return parsed.data
}

/** Options that every command with a workspace takes. */
export const addCommonOptions = (command: Command): Command =>
  command
    .option('--json', 'print one JSON document on stdout')
    .option('--store <url>', 'file:///path or s3://bucket/prefix (default: .headstart/store)')

/** Options of commands that run a base here. */
export const addEngineOptions = (command: Command): Command =>
  addCommonOptions(command).option(
    '--device <device>',
    'auto, cpu, cuda, cuda:<index>, tensorrt or webgpu (default: HEADSTART_DEVICE, or auto)',
    parseDeviceName,
  )

export interface DetachOption {
  readonly detach?: boolean
}

export const addDetachOption = (command: Command): Command =>
  command.option('--detach', 'enqueue, print job ids and return; needs `headstart up` or Redis')

export const parseNumber = (text: string): number => {
  const value = Number(text)
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('not a number')
  return value
}

export const parseCount = (text: string): number => {
  const value = parseNumber(text)
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError('not a whole number from 1')
  return value
}

const MAX_PORT = 65_535

/** 0: any free one. */
export const parsePort = (text: string): number => {
  const value = parseNumber(text)
  if (!Number.isSafeInteger(value) || value < 0 || value > MAX_PORT)
    throw new InvalidArgumentError(`not a port from 0 to ${MAX_PORT}`)
  return value
}

/** An option that may be given again. */
const collect = (text: string, before: readonly string[] = []): readonly string[] => [
  ...before,
  text,
]

const parseSize = (text: string): [number, number] => {
  const match = /^(\d+)x(\d+)$/.exec(text)
  if (match === null) throw new InvalidArgumentError('write height x width, e.g. 224x224')
  return [Number(match[1]), Number(match[2])]
}

export const parseSplit = (text: string): { train: number; validation: number; test: number } => {
  const [train, validation, test, ...rest] = text.split(',').map(Number)
  if (train === undefined || validation === undefined || test === undefined || rest.length > 0)
    throw new InvalidArgumentError('write three fractions, e.g. 0.8,0.1,0.1')
  return { train, validation, test }
}

export interface DatasetOptions {
  readonly target?: string
  readonly labels?: string
  readonly split?: ReturnType<typeof parseSplit>
}

export const addDatasetOptions = (command: Command): Command =>
  command
    .addOption(
      new Option('--target <kind>', 'what labels are').choices(['single', 'multi', 'regression']),
    )
    .option('--labels <file>', 'labels of a .npy dataset')
    .option('--split <fractions>', 'train,validation,test by sample key', parseSplit)

export interface ExtractionOptions extends DatasetOptions {
  readonly base: string
  readonly cut: readonly string[]
  readonly dataset: string
  readonly pooling?: string
  readonly size?: [number, number]
  readonly range?: string
  readonly fit?: string
  readonly kernel?: string
  readonly engine?: string
  readonly precision?: string
  readonly views?: number
  readonly maxQuarantine?: number
}

export const addExtractionOptions = (command: Command): Command =>
  addDatasetOptions(
    command
      .requiredOption('--base <base>', 'registered name, folder, model.json, .onnx file or URL')
      .requiredOption(
        '--cut <layer>',
        'where features are read; see `headstart base layers`; again for more cuts of one forward pass',
        collect,
      )
      .requiredOption(
        '--dataset <dataset>',
        'registered name, folder, .csv, .jsonl, .npy, .arrow or s3://bucket/prefix',
      )
      .addOption(
        new Option('--pooling <kind>', 'over the spatial axes (default avg)').choices(POOLINGS),
      )
      .option('--size <HxW>', 'input size (default: that of the base)', parseSize)
      .option('--range <preset>', '0..1, -1..1, 0..255, caffe or torch (default 0..1)')
      .addOption(new Option('--fit <fit>', 'other aspect ratios (default fill)').choices(FITS))
      .addOption(new Option('--kernel <kernel>', 'resampling (default linear)').choices(KERNELS))
      .addOption(
        new Option('--engine <engine>', 'what computes (default auto)').choices(ENGINE_REQUESTS),
      )
      .addOption(
        new Option('--precision <precision>', 'arithmetic of the base; fp16 needs a GPU').choices(
          PRECISIONS,
        ),
      )
      .option('--views <n>', 'the plain sample and n-1 augmentations', parseNumber)
      .option(
        '--max-quarantine <fraction>',
        'undecodable samples allowed (default 0.01)',
        parseNumber,
      ),
  )

/** Without the members that were not given: the schema has the defaults. */
const given = (members: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined))

export const datasetInput = (from: string, options: DatasetOptions): Record<string, unknown> =>
  given({ from, target: options.target, labels: options.labels })

/** One cut stays `cut`, so that faults are told in the words of the option. */
const cutInput = (cuts: readonly string[]): Record<string, unknown> =>
  cuts.length === 1 ? { cut: cuts[0] } : { cuts }

/** The part of an experiment that stage 1 takes. */
export const extractionInput = (options: ExtractionOptions): Record<string, unknown> =>
  given({
    base: given({ from: options.base, ...cutInput(options.cut), pooling: options.pooling }),
    preprocess: given({
      size: options.size,
      range: options.range,
      fit: options.fit,
      kernel: options.kernel,
    }),
    dataset: datasetInput(options.dataset, options),
    split: options.split,
    engine: options.engine,
    precision: options.precision,
    views: options.views,
    maxQuarantine: options.maxQuarantine,
  })

export interface HeadOptions {
  readonly head: string
  readonly epochs?: number
  readonly batchSize?: number
  readonly optimizer?: string
  readonly tolerance?: number
  readonly select?: string
  readonly folds?: number
  readonly learningRate?: number
  readonly weightDecay?: number
  readonly l2?: number
  readonly dropout?: number
  readonly labelSmoothing?: number
  readonly width?: number
  readonly depth?: number
  readonly patience?: number
  readonly balanced?: boolean
  readonly seed?: number
  readonly name?: string
}

export const addHeadOptions = (command: Command): Command =>
  command
    .addOption(
      new Option('--head <kind>', 'which head').choices(['linear', 'mlp']).default('linear'),
    )
    .option('--epochs <n>', 'passes over the features (default 30)', parseNumber)
    .option('--batch-size <n>', 'samples a step (default 32)', parseNumber)
    .addOption(
      new Option('--optimizer <name>', '(default adam)').choices(['adam', 'adamw', 'sgd', 'lbfgs']),
    )
    .option('--tolerance <x>', 'lbfgs: ends when no part of the gradient is larger', parseNumber)
    .option('--learning-rate <x>', '(default 0.001)', parseNumber)
    .option('--weight-decay <x>', 'decoupled; adamw and sgd', parseNumber)
    .option('--l2 <x>', 'added to the loss', parseNumber)
    .option('--dropout <rate>', 'before each dense layer', parseNumber)
    .option('--label-smoothing <x>', 'classification only', parseNumber)
    .option('--width <n>', 'units of a hidden layer of an mlp (default 256)', parseNumber)
    .option('--depth <n>', 'hidden layers of an mlp (default 1)', parseNumber)
    .option('--patience <n>', 'stop after n epochs without a better validation loss', parseNumber)
    .option('--balanced', 'weigh classes by their rarity')
    .option('--select <metric>', 'validation metric that chooses among several cuts')
    .option('--folds <n>', 'cross-validation over the train split', parseNumber)
    .option('--seed <n>', '(default 1)', parseNumber)
    .option('--name <name>', 'model name for the run')

/** The members of an experiment that stage 2 takes. */
export const trainingInput = (options: HeadOptions): Record<string, unknown> => {
  const { epochs, batchSize, optimizer, learningRate, weightDecay, l2, dropout } = options
  const { labelSmoothing, width, depth, tolerance, patience, balanced } = options
  const head = given({
    kind: options.head,
    ...{ epochs, batchSize, optimizer, learningRate, weightDecay, l2, dropout },
    ...{ labelSmoothing, width, depth, tolerance },
    earlyStopping: patience === undefined ? undefined : { patience },
    classWeights: balanced ? 'balanced' : undefined,
  })
  const { select, folds, seed, name } = options
  return given({ heads: [head], select, folds, seed, name })
}
