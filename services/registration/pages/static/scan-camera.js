// The camera, and who reads QR codes in its pictures: the browser itself, or else zxing.

const LOOK_MILLISECONDS = 120;
const WIDTH_MAX = 720;
const TRIAL_MILLISECONDS_MAX = 1_000;

/** The browser's own reader. Android without Google's services, as sold in China, promises one that fails. */
async function ownReader() {
  if (!("BarcodeDetector" in globalThis)) return null;
  const late = new Promise((_, reject) => setTimeout(reject, TRIAL_MILLISECONDS_MAX));
  const trial = async () => {
    const formats = await BarcodeDetector.getSupportedFormats();
    if (!formats.includes("qr_code")) return null;
    const detector = new BarcodeDetector({ formats: ["qr_code"] });
    const blank = Object.assign(document.createElement("canvas"), { width: 64, height: 64 });
    blank.getContext("2d").fillRect(0, 0, 64, 64);
    await detector.detect(blank);
    return async (source) => (await detector.detect(source))[0]?.rawValue;
  };
  return Promise.race([trial(), late]).catch(() => null);
}

/** Find a reader of QR codes: a function that gives a picture's text, or null where there is none. */
export async function reader(decoder) {
  const own = await ownReader();
  if (own || !decoder) return own;
  const zxing = await import(`${decoder}/dist/es/reader/index.js`);
  const locateFile = (name) => `${decoder}/dist/reader/${name}`;
  await zxing.prepareZXingModule({ overrides: { locateFile }, fireImmediately: true });
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d", { willReadFrequently: true });
  return async (source) => {
    const [width, height] = [source.videoWidth ?? source.width, source.videoHeight ?? source.height];
    const scale = Math.min(1, WIDTH_MAX / width);
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    context.drawImage(source, 0, 0, canvas.width, canvas.height);
    const picture = context.getImageData(0, 0, canvas.width, canvas.height);
    const found = await zxing.readBarcodes(picture, { formats: ["QRCode"], maxNumberOfSymbols: 1 });
    return found.find((one) => one.isValid)?.text;
  };
}

export class Camera {
  constructor(video, decoder, seen) {
    this.video = video;
    this.decoder = decoder;
    this.seen = seen;
    this.stream = null;
    document.addEventListener("visibilitychange", () => this.#follow());
  }

  get isOn() {
    return this.stream !== null;
  }

  /** Start looking. Raises an error named `NoReader` or `NoCamera`, or the browser's own. */
  async start() {
    if (!navigator.mediaDevices) throw Object.assign(new Error(), { name: "NoCamera" });
    this.read ??= await reader(this.decoder).catch(() => null);
    if (!this.read) throw Object.assign(new Error(), { name: "NoReader" });
    const video = { facingMode: "environment", width: { ideal: 1280 }, height: { ideal: 720 } };
    this.stream = await navigator.mediaDevices.getUserMedia({ video, audio: false });
    this.video.srcObject = this.stream;
    await this.video.play();
    this.lock = await navigator.wakeLock?.request("screen").catch(() => null);
    this.#look(this.stream);
  }

  stop() {
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.stream = null;
    this.video.srcObject = null;
    this.lock?.release();
  }

  async #look(stream) {
    while (this.stream === stream) {
      const text = this.video.readyState >= 2 ? await this.read(this.video).catch(() => null) : null;
      if (text && this.stream === stream) this.seen(text);
      await new Promise((resolve) => setTimeout(resolve, LOOK_MILLISECONDS));
    }
  }

  /** A page in the background gives the camera back, and takes it again. */
  #follow() {
    if (document.hidden && this.isOn) {
      this.stop();
      this.wasOn = true;
    } else if (!document.hidden && this.wasOn) {
      this.wasOn = false;
      this.start().catch(() => null);
    }
  }
}
