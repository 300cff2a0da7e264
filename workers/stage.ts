// Entry of a stage process. The supervisor that starts it is src/queue/supervisor.ts.
import { serveStage } from '../src/queue/stage-host.js'

serveStage()
