// What a product page may promise about returns. Put this where the words should stand, and the script once at the end:
//   <div data-returns data-country="GB" data-category="shirts" data-price="6400"></div>
//   <script src="https://returns.example.com/widget.js" async></script>
// The words come as plain text; the page's own styles apply. Without an answer the element stays empty.
(() => {
  const portal = new URL(document.currentScript.src);
  for (const place of document.querySelectorAll("[data-returns]")) {
    const question = new URL("/api/v1/returnable", portal);
    for (const [name, value] of Object.entries(place.dataset)) {
      if (name !== "returns" && name !== "link") question.searchParams.set(name, value);
    }
    fetch(question).then((answer) => (answer.ok ? answer.json() : null)).then((found) => {
      if (!found) return;
      const list = document.createElement("ul");
      for (const point of found.points) {
        const title = document.createElement("b");
        title.textContent = point.title;
        const item = document.createElement("li");
        item.append(title, " ", point.text);
        list.append(item);
      }
      const link = document.createElement("a");
      link.href = found.policy.url;
      link.textContent = place.dataset.link || "Returns policy";
      place.replaceChildren(list, link);
    }).catch(() => {});
  }
})();
