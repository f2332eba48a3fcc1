"""The colours of the reports: one meaning each, apart for the colour-blind (after Okabe and Ito), light and dark."""

LIGHT = {
    'paper': '#ffffff', 'ink': '#1f2328', 'quiet': '#5b656f', 'rule': '#d6dbe0',
    'left': '#0072b2', 'right': '#d55e00',
    'bc': '#76808a', 'cvae': '#b04f8d', 'diffusion': '#b87a00', 'flow': '#00866a',
    'other': '#5560b8', 'another': '#8a5a2b', 'bad': '#c0272d',
}
DARK = {
    'paper': '#15191e', 'ink': '#e7eaed', 'quiet': '#9ba6b1', 'rule': '#38414a',
    'left': '#56b4f0', 'right': '#ff8f47',
    'bc': '#a5afb9', 'cvae': '#e294c4', 'diffusion': '#ecb13f', 'flow': '#3fcaa4',
    'other': '#99a4f5', 'another': '#cfa170', 'bad': '#ff7a78',
}
