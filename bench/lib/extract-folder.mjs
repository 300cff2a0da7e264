// Child of bench/memory.mjs: extracts one folder and prints {"samples","seconds","peakBytes"}.
// Run: node bench/lib/extract-folder.mjs <base folder> <image folder> <engine>
import { extract } from '../../dist/src/extract/run.js'
import { openExtractor } from '../../dist/src/extractor/extractor.js'
import { secondsOf } from './numbers.mjs'
import { openSetting, withWorkspace } from './setting.mjs'

const [base, images, engine] = process.argv.slice(2)
await withWorkspace(async ({ workspace }) => {
  const setting = await openSetting({ workspace, base, images, engine })
  const { reader, dataset } = setting.opened
  let samples = 0
  const seconds = await secondsOf(async () => {
    const { computed } = await extract({
      store: workspace.store,
      spec: setting.spec,
      keys: dataset.samples.map(({ key }) => key),
      openExtractor: async () => openExtractor(setting.spec, setting.base),
      readSample: (key) => reader.read(key),
      nameOf: (key) => reader.nameOf(key),
    })
    samples = computed
  })
  await reader.close()
  // Kilobytes on every system; all threads of the process are in it.
  const peakBytes = process.resourceUsage().maxRSS * 1024
  process.stdout.write(JSON.stringify({ samples, seconds, peakBytes }))
})
