// Requests as code to copy. The key is never in it: it comes from the environment.

const variable = "CONVERSATIOND_KEY";

// The address of the API, under the same prefix as the page.
const base = () => new URL("v1", location.href).href;

// For a shell: nothing inside single quotes means anything to it.
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

export function listAsCurl(parameters) {
  const lines = [`curl -sG ${quoted(`${base()}/conversations`)}`];
  lines.push(`-H "Authorization: Bearer $${variable}"`);
  // curl encodes what follows the first `=`, and leaves the name alone.
  for (const [name, value] of parameters) {
    lines.push(`--data-urlencode ${quoted(`${encodeURIComponent(name)}=${value}`)}`);
  }
  return lines.join(" \\\n  ");
}

export function oneAsCurl(id) {
  return `curl -s ${quoted(`${base()}/conversations/${id}`)} \\\n`
    + `  -H "Authorization: Bearer $${variable}"`;
}

// A string of JSON is one of Python's, but for half a surrogate pair, which no request has.
const client = () => `import os
from openai import OpenAI

client = OpenAI(base_url=${JSON.stringify(base())}, api_key=os.environ["${variable}"])
`;

export function listAsPython(parameters) {
  const byName = Map.groupBy(parameters, ([name]) => name.replace(/\[\]$/, ""));
  const lines = [...byName].map(([name, pairs]) => {
    const values = pairs.map(([, value]) => JSON.stringify(value));
    const isList = values.length > 1 || pairs[0][0].endsWith("[]");
    return `    ${JSON.stringify(name)}: ${isList ? `[${values.join(", ")}]` : values[0]},\n`;
  });
  return `${client()}page = client.get("/conversations", cast_to=object, options={"params": {
${lines.join("")}}})
for conversation in page["data"]:
    print(conversation["id"], conversation["metadata"])
`;
}

export function oneAsPython(id) {
  return `${client()}conversation = client.conversations.retrieve(${JSON.stringify(id)})
print(conversation.metadata)
`;
}
