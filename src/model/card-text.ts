// Owns the model card for people: Markdown, with the code that feeds the model.
import { shortId } from '../identity/hash.js'
import type { ModelCard } from './card.js'
import { codeOf, imageWords, namesOf } from './card-code.js'
import { checkWords, leftOutWords, onnxWords, sampleWords } from './card-files-text.js'

type Metrics = NonNullable<ModelCard['metrics']['train']>
const SPLITS = ['train', 'validation', 'test'] as const

/** Names come from folders and files: nothing in them may end a cell or start markup. */
const plain = (text: string): string =>
  text.replace(/[\r\n\t]+/g, ' ').replace(/[\\`*_{}[\]<>|#]/g, '\\$&')

const decimal = (value: number): string => value.toFixed(4)

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`

const markdownTable = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n')

const TASKS = {
  single: 'one probability a class (softmax); the largest one is the answer',
  multi: 'one probability a label (sigmoid), each on its own; 0.5 is the threshold measured here',
  regression: 'one value an output, in the units of the labels',
} as const

const headWords = ({ extractor, files, headInputShape }: ModelCard): string[] => {
  const { cut, pooling, featureShape } = extractor
  if (files.head === null) return []
  return [
    `\`${files.head}\` (TF.js) takes features of shape [${headInputShape.join(', ')}]: the output of \`${cut}\`${pooling === 'none' ? '' : `, ${pooling} pooled,`} of the base (shape [${featureShape.join(', ')}]).`,
  ]
}

const usage = (card: ModelCard): string => {
  const { input } = card.extractor
  const prepare =
    input.kind === 'image'
      ? imageWords(input)
      : `Each sample is a float32 row of shape [${input.shape.join(', ')}], as it is.`
  return [
    prepare,
    ...(card.files.model === null ? [] : [`\`\`\`js\n${codeOf(card)}\n\`\`\``]),
    ...onnxWords(card),
    ...headWords(card),
    ...leftOutWords(card),
    ...sampleWords(card),
  ].join('\n\n')
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
    ...checkWords(exportCheck),
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
