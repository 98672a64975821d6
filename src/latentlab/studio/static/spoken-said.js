// Words that a screen reader speaks when they change; nobody sees them.
const ID = "latentlab-said";

export default function ({ data }) {
  let region = document.getElementById(ID);
  if (!region) {
    region = document.createElement("div");
    region.id = ID;
    region.setAttribute("role", "status");
    Object.assign(region.style, { position: "absolute", width: "1px", height: "1px", overflow: "hidden", clipPath: "inset(50%)", whiteSpace: "nowrap" });
    document.body.append(region);
  }
  if (region.textContent !== data) region.textContent = data;
}
