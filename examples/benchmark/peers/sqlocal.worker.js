/** What sqlocal's own worker does. Importing that one would bring nothing: the package declares it free of side effects. */
import { SQLiteOpfsDriver } from '../node_modules/sqlocal/dist/drivers/sqlite-opfs-driver.js';
import { SQLocalProcessor } from '../node_modules/sqlocal/dist/processor.js';

const processor = new SQLocalProcessor(new SQLiteOpfsDriver());
self.onmessage = (message) => processor.postMessage(message);
processor.self.onmessage = (message, transfer) => postMessage(message, transfer);
