export async function greet() {}
