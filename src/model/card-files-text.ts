// Owns the words of a model card about its files: the ONNX model with code that runs it, what is missing,
// the samples, and the proof.
import type { ModelCard } from './card.js'
import { PART_WORDS } from './card-files.js'

const LAYOUTS = {
  'channels-last': 'height, width, channels',
  'channels-first': 'channels, height, width',
} as const

/** How to run `model.onnx`, where there is one. */
export const onnxWords = ({ files: { onnx } }: ModelCard): string[] => {
  if (onnx === null) return []
  const { input, output, path, operators } = onnx
  const order = input.layout === null ? '' : ` in the order ${LAYOUTS[input.layout]}`
  const samples =
    input.samples === null ? 'any number of samples' : `${input.samples} samples a run`
  return [
    `\`${path}\` (ONNX, operators of version ${operators}) takes the same values${order} as \`${input.name}\`, float32 [samples, ${input.shape.join(', ')}], ${samples}, and gives \`${output.name}\`, float32 [samples, ${output.shape.join(', ')}]:`,
    `\`\`\`python
import onnxruntime

session = onnxruntime.InferenceSession("${path}")
outputs = session.run(None, {"${input.name}": values})[0]
\`\`\``,
  ]
}

/** What the run cannot have, one paragraph each. */
export const leftOutWords = ({
  notExported,
  foldedBatchNormalization: folded,
}: ModelCard): string[] => [
  ...notExported.map(
    ({ part, reason }) => `Not in this folder: ${PART_WORDS[part]}. Reason: ${reason}.`,
  ),
  ...(folded === null
    ? []
    : [
        `The TF.js model has no BatchNormalization: ${folded.folded} were folded into the layer beside them, ${folded.replaced} became a 1 x 1 convolution of each channel. Training it further uses no statistics of batches.`,
      ]),
]

/** Where the samples are, and what they are for. */
export const sampleWords = ({ files: { samples } }: ModelCard): string[] =>
  samples === null
    ? []
    : [
        `\`${samples.input}\` and \`${samples.features}\` hold ${samples.count} made-up inputs for the composed models and for the head, \`${samples.expected}\` what the run predicts of them: compare with these after loading the files elsewhere.`,
      ]

/** One line for each file that was loaded again. */
export const checkWords = ({ samples, files }: ModelCard['exportCheck']): string[] =>
  files.map(
    ({ path, loadedWith, maxAbsDiff, tolerance }) =>
      `- Export: \`${path}\` was loaded again with plain \`${loadedWith}\` and compared with the run on ${samples} seeded inputs; largest difference ${maxAbsDiff}, allowed ${tolerance}.`,
  )
