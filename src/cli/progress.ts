// Owns progress on stderr: one bar with rate and time left on a terminal, plain lines elsewhere.
import { MultiBar, type SingleBar } from 'cli-progress'
import type { Events } from '../experiment/events.js'
import type { TrainingJobProgress } from '../queue/types.js'

/** Plain lines come at most this often. */
const LINE_INTERVAL_MS = 5000

export interface Progress {
  readonly events: Events
  /** Of a training that another process runs. */
  onTraining(progress: TrainingJobProgress): void
  stop(): void
}

interface Step {
  readonly name: string
  readonly done: number
  readonly total: number
  /** Work that takes time, for the rate: what was reused costs none. */
  readonly worked: number
  readonly unit: string
  readonly note?: string
}

const formatSeconds = (seconds: number): string => {
  if (!Number.isFinite(seconds)) return '?'
  if (seconds < 60) return `${Math.ceil(seconds)} s`
  const minutes = Math.floor(seconds / 60)
  return minutes < 60
    ? `${minutes} min ${Math.round(seconds % 60)} s`
    : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** Rates are those of the last seconds: starting an engine must not count for the whole work. */
const RATE_WINDOW_MS = 15_000
const LEAST_WINDOW_MS = 500

/** Makes the function that tells the rate of one step and the time left. */
const createRate = (): ((step: Step) => string) => {
  const marks: { readonly ms: number; readonly worked: number }[] = []
  return (step) => {
    if (step.worked === 0) return ''
    const now = { ms: performance.now(), worked: step.worked }
    marks.push(now)
    while (marks.length > 2 && now.ms - (marks[1]?.ms ?? 0) > RATE_WINDOW_MS) marks.shift()
    const first = marks[0] ?? now
    if (now.ms - first.ms < LEAST_WINDOW_MS) return ''
    const rate = ((now.worked - first.worked) * 1000) / (now.ms - first.ms)
    const left = formatSeconds((step.total - step.done) / rate)
    return `${rate.toFixed(rate < 10 ? 1 : 0)} ${step.unit}/s, ${left} left`
  }
}

const createDrawer = (stream: NodeJS.WriteStream) => {
  const bars = new MultiBar({
    format: '{name} [{bar}] {value}/{total} {rate} {note}',
    barCompleteChar: '=',
    barIncompleteChar: ' ',
    barsize: 28,
    hideCursor: true,
    clearOnComplete: false,
    stream,
  })
  let bar: SingleBar | undefined
  return {
    begin: (step: Step) => {
      bar = bars.create(step.total, step.done, { name: step.name, rate: '', note: '' })
    },
    update: (step: Step, rate: string) => {
      bar?.setTotal(step.total)
      bar?.update(step.done, { name: step.name, rate, note: step.note ?? '' })
    },
    say: (message: string) => bars.log(`${message}\n`),
    stop: () => bars.stop(),
  }
}

const createLines = (stream: NodeJS.WriteStream): ReturnType<typeof createDrawer> => {
  let lastMs = 0
  return {
    begin: () => {
      lastMs = Date.now()
    },
    update: (step, rate) => {
      if (step.done < step.total && Date.now() - lastMs < LINE_INTERVAL_MS) return
      lastMs = Date.now()
      const parts = [`${step.name}: ${step.done}/${step.total}`, rate, step.note ?? '']
      stream.write(`${parts.filter((part) => part !== '').join(', ')}\n`)
    },
    say: (message) => stream.write(`${message}\n`),
    stop: () => undefined,
  }
}

/** Progress of one command. Nothing is drawn before the first event. */
export const createProgress = (stream: NodeJS.WriteStream = process.stderr): Progress => {
  const drawer = stream.isTTY ? createDrawer(stream) : createLines(stream)
  let current = ''
  let rate = createRate()
  const show = (step: Step): void => {
    if (step.name !== current) {
      current = step.name
      rate = createRate()
      drawer.begin(step)
    }
    drawer.update(step, rate(step))
  }
  const showEpochs = (heads: number, step: Pick<Step, 'done' | 'total' | 'note'>): void => {
    const name = heads === 1 ? 'train' : `train ${heads} heads`
    show({ ...step, name, worked: step.done, unit: 'epochs' })
  }
  return {
    stop: drawer.stop,
    onTraining: ({ heads, epoch, epochs, loss, score }) => {
      if (loss === null || score === null) return
      const note = `loss ${loss.toFixed(3)}, score ${score.toFixed(3)}`
      showEpochs(heads, { done: epoch, total: epochs, note })
    },
    events: {
      onNotice: (message) => drawer.say(message),
      onIndex: (done, total) => show({ name: 'index', done, total, worked: done, unit: 'files' }),
      onPush: (done, total, uploaded) =>
        show({ name: 'push', done, total, worked: uploaded, unit: 'samples' }),
      onExtract: ({ done, total, computed }, view, views) =>
        show({
          name: views === 1 ? 'extract' : `extract view ${view + 1}/${views}`,
          done,
          total,
          worked: computed,
          unit: 'samples',
        }),
      onEpoch: ({ train, validation }, { heads, done, epochs }) => {
        const score = validation === null ? train : validation
        const split = validation === null ? 'train' : 'validation'
        const note = `loss ${train.loss.toFixed(3)}, ${split} ${score.score.toFixed(3)}`
        showEpochs(heads, { done, total: epochs, note })
      },
    },
  }
}
