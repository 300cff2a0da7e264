// Owns the way from what a user asks for to a complete extractor spec: nothing is left out or `auto`.
import { closest, distance } from 'fastest-levenshtein'
import type { Content } from '../dataset/types.js'
import { HeadstartError } from '../errors.js'
import type { BaseRecord, CutPoint } from './base/load.js'
import type { ResolvedEngine } from './choose-engine.js'
import { channelAxis, imageLayout, imageSize, type Layout } from './layout.js'
import { type Preprocess, resolveImageInput } from './preprocess.js'
import type { ExtractorSpec, POOLINGS, View } from './spec.js'

export interface ExtractorRequest {
  readonly base: BaseRecord
  readonly cut: string
  readonly pooling: (typeof POOLINGS)[number]
  readonly preprocess: Preprocess
  readonly content: Content
  readonly view: View
  readonly engine: ResolvedEngine
}

const NEAR_CUTS = 5

/** @throws CUT_NOT_FOUND, saying which names are near. */
export const findCut = (base: BaseRecord, cut: string): CutPoint => {
  const found = base.cuts.find(({ path }) => path === cut)
  if (found !== undefined) return found
  const names = base.cuts.map(({ path }) => path)
  const near = [...names].sort((a, b) => distance(a, cut) - distance(b, cut)).slice(0, NEAR_CUTS)
  throw new HeadstartError(
    'CUT_NOT_FOUND',
    `the base has no layer ${JSON.stringify(cut)}; did you mean ${JSON.stringify(closest(cut, names))}?`,
    { details: near.map((name) => `near: ${name}`) },
  )
}

const fixedShape = (shape: readonly (number | null)[], what: string): number[] =>
  shape.map((size) => {
    if (size === null)
      throw new HeadstartError(
        'CUT_UNUSABLE',
        `${what} has the shape [${shape.map((s) => s ?? '?')}]`,
      )
    return size
  })

const mismatch = (message: string): HeadstartError =>
  new HeadstartError('EXTRACTOR_INPUT_MISMATCH', message)

/** Only ONNX has bases with channels first that somebody here turns pixels for. */
const layoutOf = ({ format, inputShape }: BaseRecord): Layout | null => {
  const layout = imageLayout(inputShape)
  return layout === 'channels-first' && format !== 'onnx' ? null : layout
}

const resolveInput = (request: ExtractorRequest): ExtractorSpec['input'] => {
  const { inputShape } = request.base
  const shown = `[${inputShape.map((size) => size ?? '?').join(', ')}]`
  if (request.content.kind === 'tensor') {
    const { shape } = request.content
    const fits =
      shape.length === inputShape.length &&
      shape.every((size, i) => inputShape[i] === null || inputShape[i] === size)
    if (!fits)
      throw mismatch(`a sample has the shape [${shape.join(', ')}], the base takes ${shown}`)
    return { kind: 'tensor', dtype: 'float32', shape: [...shape] }
  }
  const layout = layoutOf(request.base)
  if (layout === null)
    throw mismatch(
      `the samples are images, the base takes ${shown}, not ${request.base.format === 'onnx' ? '[3, height, width] or ' : ''}[height, width, 3]`,
    )
  const [height, width] = imageSize(inputShape, layout)
  const size = request.preprocess.size
  if (size === undefined && (!height || !width))
    throw mismatch(`the base takes images of any size: say which in preprocess.size`)
  const [h, w] = size ?? [height as number, width as number]
  if ((height && height !== h) || (width && width !== w))
    throw mismatch(`preprocess.size is [${h}, ${w}], the base takes ${shown}`)
  return resolveImageInput(request.preprocess, [h, w])
}

/**
 * Where a cut's spatial size depends on the input size, the record has null; pooling removes it.
 */
const resolveFeatureShape = (
  cut: CutPoint,
  pooling: ExtractorSpec['pooling'],
  base: BaseRecord,
): number[] => {
  const axis = channelAxis(cut.shape.length, layoutOf(base) === 'channels-first')
  const shape = pooling === 'none' ? cut.shape : [cut.shape[axis] ?? null]
  return fixedShape(shape, `the output of ${cut.path}`)
}

/**
 * The complete spec of an extractor. Pure.
 *
 * @throws CUT_NOT_FOUND, CUT_UNUSABLE, EXTRACTOR_INPUT_MISMATCH.
 */
export const resolveExtractorSpec = (request: ExtractorRequest): ExtractorSpec => {
  const cut = findCut(request.base, request.cut)
  const pooling = cut.shape.length < 2 ? 'none' : request.pooling
  return {
    version: 1,
    base: { id: request.base.baseId, format: request.base.format },
    cut: cut.path,
    pooling,
    input: resolveInput(request),
    view: request.view,
    engine: request.engine.name,
    precision: request.engine.precision,
    fixedBatch: request.engine.fixedBatch,
    featureShape: resolveFeatureShape(cut, pooling, request.base),
  }
}
