// Owns the words of one layer's config: names that TF.js has otherwise, and settings that TF.js would
// read past and so compute another function.
import { isObject, type Json, type JsonObject, refuse } from './keras3-json.js'

/** `{class_name: 'DTypePolicy', config: {name: 'float32'}}` is the Keras 3 form of `'float32'`. */
const isDtypePolicy = (value: Json): value is { config: { name: string } } =>
  isObject(value) &&
  value.class_name === 'DTypePolicy' &&
  isObject(value.config) &&
  typeof value.config.name === 'string'

/** Inside of a layer. TF.js's hardSigmoid is that of Keras 2, another function; it lacks the others. */
const translateActivation = (activation: string): string => {
  if (/^hard_/.test(activation)) return refuse(`the activation ${activation} inside of a layer`)
  return activation === 'silu' ? 'swish' : activation
}

/** TF.js knows both penalties only as the two of L1L2. */
const translateRegularizer = (regularizer: JsonObject): JsonObject => {
  const { class_name: className, config } = regularizer
  if ((className !== 'L1' && className !== 'L2') || !isObject(config)) return regularizer
  return { ...regularizer, class_name: 'L1L2', config: { l1: 0, l2: 0, ...config } }
}

/** What TF.js calls a member of a config, or undefined where the member needs no translation. */
export const translateConfigMember = (key: string, value: Json): [string, Json] | undefined => {
  if (key === 'batch_shape') return ['batch_input_shape', value]
  if (key.endsWith('activation') && typeof value === 'string')
    return [key, translateActivation(value)]
  if (key.endsWith('_regularizer') && isObject(value)) return [key, translateRegularizer(value)]
  return isDtypePolicy(value) ? [key, value.config.name] : undefined
}

const isOne = (value: Json): boolean =>
  value == null || value === 1 || (Array.isArray(value) && value.every(isOne))

/** Settings that TF.js reads past: by class, whether a config needs them. */
const IGNORED: Readonly<Record<string, (config: JsonObject) => string | false>> = {
  DepthwiseConv2D: ({ dilation_rate: rate }) => !isOne(rate) && 'a dilation',
  Conv2DTranspose: ({ dilation_rate: rate, output_padding: padding }) =>
    (!isOne(rate) && 'a dilation') || (padding != null && 'an output padding'),
  // TF.js interpolates without the half pixel of offset that Keras has.
  UpSampling2D: ({ interpolation }) =>
    interpolation !== undefined && interpolation !== 'nearest' && `interpolation ${interpolation}`,
  LayerNormalization: ({ rms_scaling: rms }) => rms === true && 'rms_scaling',
}

/** @throws BASE_LAYER_UNKNOWN when TF.js would compute otherwise than Keras 3. */
export const assertKnownConfig = (className: string, config: JsonObject): void => {
  const what = Object.hasOwn(IGNORED, className) && IGNORED[className]?.(config)
  if (what) refuse(`${className} with ${what}`)
}
