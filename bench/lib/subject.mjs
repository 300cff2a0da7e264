// Owns the way from a base on disk to an extractor's spec and its base, as the benchmarks need it.
import { loadBaseFor } from '../../dist/src/extractor/base/load-for.js'
import { registerBase } from '../../dist/src/extractor/base/register.js'
import { chooseEngine } from '../../dist/src/extractor/choose-engine.js'
import { DEFAULT_ENGINE_SETTINGS } from '../../dist/src/extractor/engine-settings.js'
import { preprocessSchema } from '../../dist/src/extractor/preprocess.js'
import { resolveExtractorSpec } from '../../dist/src/extractor/resolve.js'

/**
 * Registers the base at `from` and resolves the plain view's extractor.
 *
 * @param {{ store, from, cut, engine, preprocess?, pooling?, content?, settings? }} request
 * @returns the base's record, the spec, and the base in the form that its engine computes.
 */
export const openSubject = async ({
  store,
  from,
  cut,
  engine: asked,
  preprocess = { range: '0..1' },
  pooling = 'none',
  content = { kind: 'image' },
  settings = DEFAULT_ENGINE_SETTINGS,
}) => {
  const record = await registerBase(store, from, { settings })
  const request = { engine: asked, precision: 'fp32', base: record, cut }
  const { engine } = await chooseEngine(request, { store, settings })
  const spec = resolveExtractorSpec({
    base: record,
    cut,
    pooling,
    preprocess: preprocessSchema.parse(preprocess),
    content,
    view: { kind: 'plain' },
    engine,
  })
  return { record, spec, base: await loadBaseFor(store, spec) }
}
