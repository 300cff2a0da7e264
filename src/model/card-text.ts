// Owns the model card for people: Markdown, with the code that feeds the model.
import { shortId } from '../identity/hash.js'
import type { ModelCard } from './card.js'

type Metrics = NonNullable<ModelCard['metrics']['train']>
type ImageInput = Extract<ModelCard['extractor']['input'], { kind: 'image' }>
const SPLITS = ['train', 'validation', 'test'] as const

/** Names come from folders and files: nothing in them may end a cell or start markup. */
const plain = (text: string): string =>
  text.replace(/[\r\n\t]+/g, ' ').replace(/[\\`*_{}[\]<>|#]/g, '\\$&')

const decimal = (value: number): string => value.toFixed(4)

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`

const markdownTable = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n')

const namesOf = (target: ModelCard['target']): readonly string[] =>
  target.kind === 'regression' ? target.outputs : target.classes

const TASKS = {
  single: 'one probability a class (softmax); the largest one is the answer',
  multi: 'one probability a label (sigmoid), each on its own; 0.5 is the threshold measured here',
  regression: 'one value an output, in the units of the labels',
} as const

const FIT_WORDS = {
  fill: 'stretched to it without regard to the aspect ratio',
  cover: 'scaled to cover it, the rest cut off around the centre',
  contain: 'scaled to fit into it, with bars of the background colour',
} as const

const imageWords = (input: ImageInput): string => {
  const [height, width] = input.size
  const order = input.channels === 'rgb' ? 'red, green, blue' : 'blue, green, red'
  return [
    `1. Decode the first frame, apply the EXIF orientation, lay transparent pixels on rgb(${input.background.join(', ')}), convert to sRGB.`,
    `2. Resize to ${height} x ${width} (height x width) pixels, ${FIT_WORDS[input.fit]}; kernel \`${input.kernel}\`.`,
    `3. Order the channels ${order} (\`${input.channels}\`).`,
    `4. Turn each value p (0 to 255) of channel c into \`p * scale[c] + offset[c]\` in float32: scale \`[${input.scale.join(', ')}]\`, offset \`[${input.offset.join(', ')}]\`.`,
  ].join('\n')
}

const imageCode = (input: ImageInput): string => {
  const [height, width] = input.size
  const [r, g, b] = input.background
  const source = input.channels === 'rgb' ? [0, 1, 2] : [2, 1, 0]
  return `const background = { r: ${r}, g: ${g}, b: ${b} }
const pixels = await sharp('photo.jpg')
  .autoOrient()
  .flatten({ background })
  .toColourspace('srgb')
  .resize({ width: ${width}, height: ${height}, fit: '${input.fit}', kernel: '${input.kernel}', position: 'centre', background })
  .removeAlpha()
  .raw({ depth: 'uchar' })
  .toBuffer()
const scale = ${JSON.stringify(input.scale)}
const offset = ${JSON.stringify(input.offset)}
const source = ${JSON.stringify(source)} // which of red, green, blue each channel takes
const values = Float32Array.from(pixels, (_, i) => {
  const c = i % 3
  return pixels[i - c + source[c]] * scale[c] + offset[c]
})`
}

const codeOf = ({ extractor, target, files }: ModelCard): string => {
  const { input } = extractor
  const image = input.kind === 'image'
  const shape = image ? [...input.size, 3] : input.shape
  const imports = [
    "import * as tf from '@tensorflow/tfjs'",
    ...(image ? ["import sharp from 'sharp'"] : []),
  ]
  const values = image
    ? imageCode(input)
    : `const values = new Float32Array(${shape.reduce((a, b) => a * b, 1)}) // your row, as in the dataset`
  return `${imports.join('\n')}

// In Node, '@tensorflow/tfjs-node' instead of '@tensorflow/tfjs' also reads 'file://${files.model}'.
const model = await tf.loadLayersModel('https://example.com/${files.model}')
const names = ${JSON.stringify(namesOf(target))}
${values}
const outputs = await model.predict(tf.tensor(values, ${JSON.stringify([1, ...shape])})).data()
console.log(names.map((name, i) => [name, outputs[i]]))`
}

const usage = (card: ModelCard): string => {
  const { input, cut, pooling, featureShape } = card.extractor
  const prepare =
    input.kind === 'image'
      ? imageWords(input)
      : `Each sample is a float32 row of shape [${input.shape.join(', ')}], as it is.`
  const head = `\`${card.files.head}\` takes features of shape [${card.headInputShape.join(', ')}]: the output of \`${cut}\`${pooling === 'none' ? '' : `, ${pooling} pooled,`} of the base (shape [${featureShape.join(', ')}]).`
  if (card.files.model === null)
    return `${prepare}\n\nThe base is a GraphModel and cannot be composed with the head. ${head}`
  return `${prepare}\n\n\`\`\`js\n${codeOf(card)}\n\`\`\`\n\n${head}`
}

const summaryOf = (metrics: Metrics): string[] =>
  metrics.kind === 'regression'
    ? [metrics.mae, metrics.rmse, metrics.r2, metrics.loss].map(decimal)
    : [
        decimal(metrics.accuracy),
        metrics.kind === 'single' ? decimal(metrics.top5Accuracy) : '-',
        decimal(metrics.macroF1),
        decimal(metrics.loss),
      ]

const partsTable = (metrics: Metrics): string =>
  metrics.kind === 'regression'
    ? markdownTable(
        ['output', 'MAE', 'RMSE', 'R2'],
        metrics.perOutput.map(({ name, mae, rmse, r2 }) => [
          plain(name),
          ...[mae, rmse, r2].map(decimal),
        ]),
      )
    : markdownTable(
        ['class', 'precision', 'recall', 'F1', 'samples'],
        metrics.perClass.map(({ name, precision, recall, f1, support }) => [
          plain(name),
          ...[precision, recall, f1].map(decimal),
          String(support),
        ]),
      )

const results = ({ metrics, target }: ModelCard): string => {
  const head =
    target.kind === 'regression'
      ? ['split', 'samples', 'MAE', 'RMSE', 'R2', 'loss']
      : ['split', 'samples', 'accuracy', 'top-5', 'macro F1', 'loss']
  const measured = SPLITS.flatMap((split) => {
    const values = metrics[split]
    return values === undefined ? [] : [{ split, values }]
  })
  const rows = measured.map(({ split, values }) => [
    split,
    String(values.samples),
    ...summaryOf(values),
  ])
  const parts = measured.map(({ split, values }) => `### ${split}\n\n${partsTable(values)}`)
  return [markdownTable(head, rows), ...parts].join('\n\n')
}

const proofs = ({ parity, exportCheck }: ModelCard): string =>
  [
    `- Parity: the features of ${parity.samples} samples were computed again on the serving path before the run was published; ${parity.bitwise ? 'every bit agreed' : `they agreed within ${parity.tolerance}`} (largest difference ${parity.maxAbsDiff}).`,
    `- Export: the written files were loaded again with plain \`tf.loadLayersModel\` and compared with the run on ${exportCheck.samples} seeded inputs; largest difference ${exportCheck.maxAbsDiff}, allowed ${exportCheck.tolerance}.`,
  ].join('\n')

const lineageOf = ({ lineage, data }: ModelCard): string =>
  markdownTable(
    ['what', 'id'],
    [
      ['run', `\`${lineage.runId}\``],
      ['published', lineage.createdAt],
      ['base', `\`${lineage.base.id}\` (${lineage.base.format}, ${plain(lineage.base.from)})`],
      ['dataset', `\`${lineage.datasetId}\` (${plain(data.from)})`],
      ['content', `\`${lineage.contentId}\``],
      ...lineage.extractors.flatMap(({ extractorId, featureSetId }, view) => [
        [`extractor of view ${view}`, `\`${extractorId}\``],
        [`features of view ${view}`, `\`${featureSetId}\``],
      ]),
      ['seed', String(lineage.seed)],
    ],
  )

const dataTable = ({ data }: ModelCard): string =>
  markdownTable(
    [...SPLITS, 'quarantined'],
    [[...SPLITS.map((split) => String(data.samples[split])), String(data.quarantined)]],
  )

/** A model card in Markdown. */
export const writeCard = (card: ModelCard): string => {
  const { lineage, training, target, extractor } = card
  const names = namesOf(target).map((name) => `\`${name.replace(/[`\r\n]/g, ' ')}\``)
  const what = target.kind === 'regression' ? 'Outputs' : 'Classes'
  const stopped = training.stoppedEarly ? ', stopped early' : ''
  return `# Model ${shortId(lineage.runId)}

A head trained on the features of a frozen base (cut \`${extractor.cut}\`), exported by Headstart.
It gives ${TASKS[target.kind]}.

## Use

${usage(card)}

${what}, in the order of the outputs: ${names.join(', ')}

## Data

${dataTable(card)}

## Results

${results(card)}

Trained for ${training.epochs} epochs in ${training.seconds.toFixed(1)} s${stopped}; the weights are those of epoch ${training.bestEpoch}.

## Proofs

${proofs(card)}

## Limits

${card.limits.map((limit) => `- ${plain(limit)}`).join('\n')}

## Lineage

${lineageOf(card)}

Head: \`${JSON.stringify(lineage.head).slice(0, 2000).replaceAll('`', ' ')}\`

## Versions

${markdownTable(
  ['what', 'version'],
  Object.entries(card.versions).map(([name, version]) => [plain(name), plain(version)]),
)}
`
}
