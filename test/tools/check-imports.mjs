console.log("imports: not checked yet");
