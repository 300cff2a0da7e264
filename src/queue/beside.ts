// Owns which extractors of a request share a forward pass with one of them. Pure.
import { groupByPass } from '../extractor/passes.js'
import { type ExtractorSpec, extractorIdOfSpec } from '../extractor/spec.js'
import type { Sha256 } from '../identity/hash.js'

/** @param specs all of a request. @returns from the id of one to the ids of those that share its pass. */
export const besideOf = (specs: readonly ExtractorSpec[]): ((id: Sha256) => Sha256[]) => {
  const passes = groupByPass(specs, (spec) => spec).map((pass) => pass.map(extractorIdOfSpec))
  return (id) => (passes.find((pass) => pass.includes(id)) ?? []).filter((other) => other !== id)
}
