"""What a module sets in context variables that is imported for a function holds for each task."""

from scoop_ft import futures

if __name__ == "__main__":
    import many_digits

    assert list(futures.map(many_digits.parent, (3, 3, 3))) == [[50] * 4] * 3
    print("ok")
