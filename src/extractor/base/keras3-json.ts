// Owns the shapes of JSON that the translation of Keras 3 works on, and how it refuses.
import { HeadstartError } from '../../errors.js'

export type Json = unknown
export type JsonObject = { readonly [key: string]: Json }

export const isObject = (value: Json): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** @throws BASE_LAYER_UNKNOWN */
export const refuse = (what: string): never => {
  throw new HeadstartError('BASE_LAYER_UNKNOWN', `TF.js does not know ${what} of Keras 3`)
}
