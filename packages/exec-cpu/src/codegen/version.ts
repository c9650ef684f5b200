/**
 * Version of the code that this package generates: of the instructions, of what they import and export, and of
 * where they expect buffers. Count it up with any change to what native code in a plan file may rely on;
 * an executor runs only code of its own version.
 */
export const codegenVersion = 12;
