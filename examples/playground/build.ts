import { pathToFileURL } from 'node:url';
import { bundle } from './bundle.js';

console.log(`open ${pathToFileURL(await bundle())}`);
