
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('annotate', '0001_initial'),
        ('catalog', '0008_every_dictionary_in_a_workspace'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='ExplanationVote',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('agrees', models.BooleanField()),
                ('voted_at', models.DateTimeField(auto_now=True)),
                ('explanation', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='votes', to='annotate.explanation')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='votes', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('explanation', 'user'), name='vote_once')],
            },
        ),
        migrations.CreateModel(
            name='LatentLink',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('index', models.PositiveIntegerField()),
                ('dictionary', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='links', to='catalog.dictionary')),
                ('explanation', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='links', to='annotate.explanation')),
            ],
            options={
                'indexes': [models.Index(fields=['dictionary', 'index'], name='link_latent')],
                'constraints': [models.UniqueConstraint(fields=('explanation', 'dictionary', 'index'), name='explanation_links_once')],
            },
        ),
    ]
