"""Rows: into a file, out of a file, and away.

``manifest``    what a dump says about itself, in its first line and its last
``tables``      the tables of a database, as they are
``kinds``       which kind of value a column holds, whatever the database calls its type
``order``       parents before children
``expressions`` the JSON of a row, built by the database
``dumping``     one snapshot of a database, line by line
``files``       files with mode 600, compressed by their ending
``lines``       the lines of a dump, checked, in batches
``ways``        how the values of a column get into one of another database
``values``      which way; texts, bytes, JSON, arrays; ``numbers`` and ``times`` have the others
``quick``       whole columns at once, where the values are what they mostly are
``sinks``       the fast way in of each database
``copying``     COPY; ``inserting`` INSERT; ``literals`` values as texts for both
``refused``     what a database says about a row that it does not take
``loading``     one transaction: into empty tables, in place of rows, or merged
``cleaning``    tables emptied
``dropping``    tables dropped, with what was made for them
``client``      the command-line client of a database
"""
