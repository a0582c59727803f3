// Questions to the studio. A refusal is an Error whose message is its sentence.

const AWAY = "the studio does not answer; is it still running?";

export async function ask(path, method = "GET", body = undefined) {
  let answer;
  try {
    const headers = body ? { "Content-Type": "application/json" } : {};
    answer = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
  } catch {
    throw new Error(AWAY);
  }
  if (answer.status === 204) return null;
  const found = await answer.json().catch(() => ({}));
  if (!answer.ok) throw Object.assign(new Error(found.error ?? AWAY), { status: answer.status });
  return found;
}

// Sends a file; `progress` hears the share that has gone. Returns { done, cancel }.
export function send(file, progress) {
  const request = new XMLHttpRequest();
  const done = new Promise((resolve, reject) => {
    request.open("POST", `/api/jobs?name=${encodeURIComponent(file.name)}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.responseType = "json";
    request.upload.onprogress = (event) => progress(event.loaded / Math.max(event.total, 1));
    request.onload = () => (request.status === 201
      ? resolve(request.response)
      : reject(new Error(request.response?.error ?? AWAY)));
    request.onerror = () => reject(new Error(`${file.name} did not arrive: ${AWAY}`));
    request.onabort = () => reject(Object.assign(new Error("cancelled"), { cancelled: true }));
    request.send(file);
  });
  return { done, cancel: () => request.abort() };
}
