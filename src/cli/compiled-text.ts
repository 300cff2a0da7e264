// Owns how the compiled form of a base and the drift between engines look to people.
import type { CompiledRecord } from '../extractor/compile/record.js'
import { bytes, table } from './tables.js'

const SHOWN_UNSUPPORTED = 5

const summary = ({ file, problem, cuts }: CompiledRecord): string =>
  file === null
    ? `not compiled: ${problem ?? 'unknown'}`
    : `compiled, ${bytes(file.bytes)}, ${cuts.length} cuts`

/** Nodes of a GraphModel have long paths; their ends say which they are. */
const SHOWN_CUT = 32
const shortCut = (cut: string): string =>
  cut.length > SHOWN_CUT ? `...${cut.slice(3 - SHOWN_CUT)}` : cut

const scientific = (value: number): string => (value === 0 ? '0' : value.toExponential(1))

/** Lines for `base add` and `bases show`. */
export const describeCompiled = (record: CompiledRecord): string => {
  const { unsupported, drift } = record
  const shown = unsupported.slice(0, SHOWN_UNSUPPORTED)
  const more = unsupported.length - shown.length
  const missing = [
    ...shown.map(({ path, className }) => `  cannot be compiled: ${path} (${className})`),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ]
  const rows = drift.map(({ engine, device, cut, inputs, maxAbs, meanAbs, relative }) => [
    `${engine} on ${device}`,
    shortCut(cut),
    inputs,
    ...[maxAbs, meanAbs, relative].map(scientific),
  ])
  const head = ['engine against wasm', 'cut', 'inputs', 'max', 'mean', 'max / largest']
  return [
    `onnxruntime: ${summary(record)}`,
    ...missing,
    ...(rows.length === 0 ? [] : ['', table(rows, head)]),
  ].join('\n')
}
