// The embedding map as something to explore: wheel or pinch zooms, drag moves, hover shows a sample and its nearest neighbours,
// a click on the legend takes a class away. Everything it needs stands in the page; the drawn map is shown where scripts are off.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("map-data").textContent);
  const box = document.getElementById("map-box"), canvas = document.getElementById("map-canvas");
  const tip = document.getElementById("map-tip"), context = canvas.getContext("2d");
  const sprite = data.sprite ? Object.assign(new Image(), { src: data.sprite }) : null;
  const hidden = new Set();
  let view = { x: 0, y: 0, scale: 1 }, hovered = -1, pictures = false, dragged = null;
  const xs = data.points.map((p) => p[0]), ys = data.points.map((p) => p[1]);
  const span = (v) => [Math.min(...v), Math.max(...v)];
  const [left, right] = span(xs), [low, high] = span(ys);
  const colour = (i) => data.colours[data.labels[i]] || data.colours.rest;
  const name = (i) => data.names[data.labels[i]] || "";
  const shown = (i) => !hidden.has(data.labels[i]);

  function place(i) {
    const margin = 16, width = canvas.clientWidth - 2 * margin, height = canvas.clientHeight - 2 * margin;
    const x = margin + (width * (xs[i] - left)) / (right - left || 1), y = margin + (height * (high - ys[i])) / (high - low || 1);
    return [x * view.scale + view.x, y * view.scale + view.y];
  }

  function drawPoint(i, radius) {
    const [x, y] = place(i), tile = data.tile, side = Math.min(tile, 14 * Math.sqrt(view.scale) + 10);
    if (pictures && sprite) {
      const column = i % data.columns, row = Math.floor(i / data.columns);
      context.drawImage(sprite, column * tile, row * tile, tile, tile, x - side / 2, y - side / 2, side, side);
      context.strokeStyle = colour(i);
      context.strokeRect(x - side / 2, y - side / 2, side, side);
      return;
    }
    context.fillStyle = colour(i);
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.fill();
  }

  function draw() {
    const density = window.devicePixelRatio || 1;
    canvas.width = canvas.clientWidth * density;
    canvas.height = canvas.clientHeight * density;
    context.scale(density, density);
    const radius = Math.min(7, (data.points.length > 400 ? 2.6 : 3.6) * Math.sqrt(view.scale));
    data.points.forEach((_, i) => shown(i) && drawPoint(i, radius));
    if (hovered < 0) return;
    const [x, y] = place(hovered);
    context.strokeStyle = getComputedStyle(box).color;
    for (const other of data.near[hovered]) {
      context.globalAlpha = 0.55;
      context.beginPath();
      context.moveTo(x, y);
      context.lineTo(...place(other));
      context.stroke();
    }
    context.globalAlpha = 1;
    drawPoint(hovered, radius + 3);
  }

  function tile(i, large) {
    const element = document.createElement("span");
    element.className = large ? "map-tile large" : "map-tile";
    element.style.borderColor = colour(i);
    if (data.sprite) {
      const side = large ? 96 : 44, zoom = side / data.tile;
      element.style.backgroundImage = `url(${data.sprite})`;
      element.style.backgroundSize = `${data.columns * data.tile * zoom}px auto`;
      element.style.backgroundPosition = `${-(i % data.columns) * side}px ${-Math.floor(i / data.columns) * side}px`;
    } else {
      element.className = "map-tile words";
      element.textContent = name(i) || data.ids[i];
    }
    element.title = `${data.ids[i]}  ${name(i)}`;
    return element;
  }

  function part(kind, style, ...inside) {
    const element = Object.assign(document.createElement(kind), { className: style });
    element.append(...inside);
    return element;
  }

  function show(i, x, y) {
    tip.hidden = i < 0;
    if (i < 0) return;
    const words = part("div", "map-words", part("strong", "", name(i)), part("span", "", data.ids[i]));
    const near = part("div", "map-near", ...data.near[i].map((other) => tile(other, false)));
    tip.replaceChildren(part("div", "map-head", ...(data.sprite ? [tile(i, true)] : []), words), near);
    tip.style.left = `${Math.max(0, Math.min(x + 14, box.clientWidth - tip.offsetWidth))}px`;
    tip.style.top = `${y + 14 + tip.offsetHeight > box.clientHeight ? Math.max(0, y - 14 - tip.offsetHeight) : y + 14}px`;
  }

  function nearest(x, y) {
    let found = -1, best = 28 ** 2;
    data.points.forEach((_, i) => {
      const [px, py] = place(i), distance = (px - x) ** 2 + (py - y) ** 2;
      if (shown(i) && distance < best) [found, best] = [i, distance];
    });
    return found;
  }

  canvas.addEventListener("pointermove", (event) => {
    if (dragged) {
      view = { ...view, x: dragged.x + event.offsetX, y: dragged.y + event.offsetY };
    } else {
      hovered = nearest(event.offsetX, event.offsetY);
    }
    draw();
    show(dragged ? -1 : hovered, event.offsetX, event.offsetY);
  });
  canvas.addEventListener("pointerdown", (event) => {
    dragged = { x: view.x - event.offsetX, y: view.y - event.offsetY };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointerup", () => (dragged = null));
  canvas.addEventListener("pointerleave", () => {
    hovered = -1;
    show(-1);
    draw();
  });
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const scale = Math.min(40, Math.max(1, view.scale * Math.exp(-event.deltaY / 400))), ratio = scale / view.scale;
    view = scale === 1 ? { x: 0, y: 0, scale } : {
      x: event.offsetX - ratio * (event.offsetX - view.x), y: event.offsetY - ratio * (event.offsetY - view.y), scale };
    draw();
  }, { passive: false });
  canvas.addEventListener("dblclick", () => { view = { x: 0, y: 0, scale: 1 }; draw(); });
  document.querySelectorAll("#map-legend [data-label]").forEach((key) => key.addEventListener("click", () => {
    const label = Number(key.dataset.label);
    if (!hidden.delete(label)) hidden.add(label);
    key.setAttribute("aria-pressed", String(!hidden.has(label)));
    draw();
  }));
  const asPictures = document.getElementById("map-pictures");
  if (asPictures) asPictures.addEventListener("change", () => { pictures = asPictures.checked; draw(); });
  if (sprite) sprite.addEventListener("load", draw);
  window.addEventListener("resize", draw);
  box.hidden = false;
  document.getElementById("map-drawn").hidden = true;
  draw();
})();
