// The service on the embedded queue, in a folder of its own for each test.
import { describeQueue } from '../contract/queue.js'

describeQueue('embedded queue', async () => ({}))
