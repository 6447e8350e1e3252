/** The client's version, told to the hub in hello. A test holds it to package.json's. */
export const BUILD = '0.1.0';
