// The module build under the name that the tests use for both builds.
import * as tabhub from '/dist/tabhub.js';

globalThis.tabhub = tabhub;
