// Owns what becomes of one sample before the base: decoded, and normalised for who needs that alone.
// Refuses damaged images, rows of another length, and rows with values that are not finite.
import { HeadstartError } from '../errors.js'
import { widthOf } from '../features/shard.js'
import type { Sha256 } from '../identity/hash.js'
import { decodeImage } from './decode.js'
import { createNormalise } from './normalise.js'
import type { ExtractorSpec } from './spec.js'

/** One sample: its content bytes and its key. The bytes are borrowed. */
export interface SampleContent {
  readonly key: Sha256
  readonly content: Uint8Array
}

const float32Row = (content: Uint8Array, shape: readonly number[]): Float32Array => {
  const expected = widthOf(shape)
  if (content.length !== expected * 4)
    throw new HeadstartError(
      'SAMPLE_INVALID',
      `the row has ${content.length / 4} values, the base takes [${shape.join(', ')}]`,
    )
  const values = new Float32Array(new Uint8Array(content).buffer)
  if (!values.every(Number.isFinite))
    throw new HeadstartError('SAMPLE_INVALID', 'the row has values that are not finite')
  return values
}

type InputSpec = Pick<ExtractorSpec, 'input' | 'view'>

/**
 * What an engine thread takes: RGB pixels [height, width, 3], which it normalises, or a float32 row.
 *
 * @throws SAMPLE_INVALID with a reason that depends on the content alone.
 */
export const decodeSample = async (
  { input, view }: InputSpec,
  { key, content }: SampleContent,
): Promise<Uint8Array | Float32Array> =>
  input.kind === 'image' ? decodeImage(content, key, input, view) : float32Row(content, input.shape)

/**
 * What the base itself takes for a sample: normalised float32 values [...input shape].
 *
 * @throws SAMPLE_INVALID
 */
export const inputOf = async (spec: InputSpec, sample: SampleContent): Promise<Float32Array> => {
  const decoded = await decodeSample(spec, sample)
  return decoded instanceof Uint8Array && spec.input.kind === 'image'
    ? createNormalise(spec.input)(decoded)
    : new Float32Array(decoded)
}
