// Owns the names of samples that a job left out: jobs count them, the store has key and reason.
import { messageOf } from '../../errors.js'
import type { Store } from '../../store/port.js'
import type { Context } from '../context.js'
import { openConfigured } from '../open-workspace.js'
import type { ChosenService } from './choose.js'
import type { ExtractedView } from './totals.js'

export interface Quarantined {
  readonly name: string
  readonly reason: string
}

const load = async (
  store: Store,
  featureSetId: string,
  datasetId: string | null,
): Promise<Quarantined[]> => {
  // They load apache-arrow, which most commands do without.
  const { loadDataset } = await import('../../dataset/save.js')
  const { loadFeatureSet } = await import('../../features/feature-set.js')
  const featureSet = await loadFeatureSet(store, featureSetId)
  const dataset = datasetId === null ? null : await loadDataset(store, datasetId)
  const names = new Map(dataset?.samples.map(({ key, names: [name] }) => [key, name]))
  return (featureSet?.quarantine ?? []).map(({ key, reason }) => ({
    name: names.get(key) ?? key,
    reason,
  }))
}

/** Reads what a view left out; none, and a notice, when its store is out of reach. */
export const loadQuarantined = async (
  { config, folder, progress }: Context,
  { service, storeUrl }: ChosenService,
  { featureSetId, jobId, quarantined }: ExtractedView,
): Promise<Quarantined[]> => {
  if (quarantined === 0) return []
  const workspace = await openConfigured(config, folder, storeUrl)
  try {
    const datasetId = (await service.getJob(jobId))?.datasetId ?? null
    return await load(workspace.store, featureSetId, datasetId)
  } catch (error) {
    const which = `which ${quarantined} samples are in quarantine`
    progress.events.onNotice?.(`${which} cannot be read: ${messageOf(error)}`)
    return []
  } finally {
    await workspace.close()
  }
}

const MAX_SHOWN = 20

/** Says which samples are left out. */
export const sayQuarantined = async (
  context: Context,
  chosen: ChosenService,
  view: ExtractedView | undefined,
): Promise<void> => {
  if (view === undefined) return
  const quarantined = await loadQuarantined(context, chosen, view)
  const say = context.progress.events.onNotice
  for (const { name, reason } of quarantined.slice(0, MAX_SHOWN))
    say?.(`quarantined ${name}: ${reason}`)
  const more = quarantined.length - MAX_SHOWN
  if (more > 0) say?.(`quarantined ${more} more`)
}
